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

/** Reads an option's value as a number in decimal digits; its bounds are for whoever takes it. */
export function decimalNumber(text: string): number {
  const value = readDecimalNumber(text);
  if (value !== undefined) return value;
  throw new InvalidArgumentError('It is a number in decimal digits.');
}
