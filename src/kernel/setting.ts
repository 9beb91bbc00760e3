import { z } from 'zod';
import { decimalOrText, wholeNumberOrText } from './written-number.ts';

/* What settings are made of: their notes, and the kinds of values that several of them have. */

/** Notes on a setting: the environment variables that set it, and whether it must be hidden when shown. */
export interface SettingNotes {
  readonly env?: string;
  /** Others that set it when the first is not set, in this order. */
  readonly alsoEnv?: readonly string[];
  readonly help: string;
  readonly secret?: boolean;
}

/** A schema with its notes. */
export function setting<Schema extends z.ZodType>(schema: Schema, notes: SettingNotes): Schema {
  return schema.meta({ ...notes });
}

/** A secret: what was read from a file often ends with a newline, which is no part of it. */
export const secretText = z.string().trim();

/** A whole number within bounds, also as text. */
export function wholeNumber(min: number, max: number): z.ZodType<number, number | string> {
  const bounds = `must be a whole number from ${min} to ${max}`;
  return wholeNumberOrText(bounds).refine((value) => value >= min && value <= max, bounds);
}

/** A share: a number within bounds, also as text. */
export function decimalNumber(min: number, max: number): z.ZodType<number, number | string> {
  const bounds = `must be a number from ${min} to ${max}`;
  return decimalOrText().refine((value) => value >= min && value <= max, bounds);
}

/** An amount above 0 as decimal text. */
export const positiveAmount = z
  .string()
  .regex(/^\d+(\.\d+)?$/, 'must be a decimal amount')
  .refine((text) => /[1-9]/.test(text), 'must be above 0');

/** An address with one of these schemes. */
export function urlOf(...protocols: readonly string[]): z.ZodString {
  return z
    .string()
    .refine(
      (text) => URL.canParse(text) && protocols.includes(new URL(text).protocol),
      `must be a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
    );
}

/** A list, also as text with commas. */
export function commaList<Item extends z.ZodType>(item: Item): z.ZodPreprocess<z.ZodArray<Item>> {
  return z.preprocess(
    (value) => (typeof value === 'string' ? value.split(',').map((part) => part.trim()) : value),
    z.array(item).min(1),
  );
}

/** Yes or no, also as text. */
export const onOff = z.union([z.boolean(), z.stringbool()]);

/** A model as users write it. */
export const modelReference = z.string().regex(/^[^/\s]+\/\S+$/, 'must be a model, as in openai/gpt-5-mini');
