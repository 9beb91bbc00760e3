import { InvalidArgumentError } from 'commander';
import { readDecimalNumber, readWholeNumber } from '../kernel/written-number.ts';

/** Reads an option's value as a whole number within bounds. */
export function wholeNumberOption(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = readWholeNumber(text);
    if (value !== undefined && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It is a whole number from ${min} to ${max}.`);
  };
}

/** Reads an option's value as a name. An empty one comes of a variable that is not set, and is refused. */
export function nameOption(text: string): string {
  if (text.trim() !== '') return text;
  throw new InvalidArgumentError('It is empty: give a name, or leave the option out.');
}

/** The same of an option that may be repeated. */
export function namesOption(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, nameOption(text)];
}

/** Reads an option's value as a number in decimal digits; its bounds are for whoever takes it. */
export function decimalNumber(text: string): number {
  const value = readDecimalNumber(text);
  if (value !== undefined) return value;
  throw new InvalidArgumentError('It is a number in decimal digits.');
}
