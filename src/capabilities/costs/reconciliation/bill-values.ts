import { z } from 'zod';
import { type Usd, usd } from '../../../kernel/money.ts';
import { type BillDocument, invalidBill, NumberText, tooLarge } from './bill-text.ts';

/* What the fields of bills may hold, and how a fault in one is told. */

const maxCount = 1_000_000_000_000;

const number = z.instanceof(NumberText, { error: 'is a number' });

/** A whole number from 0, of tokens or requests. */
export const count = number
  .refine(
    ({ text }) => /^\d{1,13}$/.test(text) && Number(text) <= maxCount,
    'is a whole number from 0 to 10^12',
  )
  .transform(({ text }) => Number(text));

/** A count, or null for "not said". */
export const maybeCount = count.nullish();

const amountProblem = 'is a decimal amount of at most 12 digits before and 30 after the point';
const amountPattern = /^-?\d{1,12}(?:\.\d{1,30})?$/;
const writtenPattern = /^-?\d{1,12}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,2})?$/;

/** The digits of an amount, as a text or as a number; never a float. */
export const amountText = z
  .union([z.string(), number], { error: 'is an amount, as a number or as a text' })
  .transform((value) => (typeof value === 'string' ? value : value.text))
  .refine((text) => writtenPattern.test(text), { error: amountProblem, abort: true })
  .transform(plainText)
  .refine((text) => amountPattern.test(text), amountProblem);

/** The word of a model, tier or key. */
export const word = z
  .string({ error: 'is a text' })
  .min(1, 'is not empty')
  .max(256, 'has at most 256 characters');

/** A word, or null for "not said". */
export const maybeWord = z
  .string({ error: 'is a text or null' })
  .max(256, 'has at most 256 characters')
  .nullish();

/** US dollars are the only currency. */
export const currency = z
  .string({ error: 'is the name of a currency' })
  .refine(
    (text) => text.toLowerCase() === 'usd',
    'is no currency that can be compared: amounts are in US dollars',
  );

/** Seconds since 1970. */
export const seconds = number
  .refine(({ text }) => /^\d{9,10}$/.test(text), 'is a moment in seconds since 1970')
  .transform(({ text }) => new Date(Number(text) * 1000));

const endOfDays = Date.UTC(9999, 11, 31);

/** A moment as RFC 3339 has it. */
export const instant = z.iso
  .datetime({ offset: true, error: 'is a moment such as 2026-03-01T00:00:00Z' })
  .transform((text) => new Date(text))
  .refine((moment) => moment.getTime() >= 0 && moment.getTime() < endOfDays, 'lies between 1970 and 9999');

/** The most buckets, or rows, of one page. */
export const maxBuckets = 100_000;

/** The most results of one bucket. */
export const maxResults = 100_000;

/** A page says whether more follow. */
export const pageFields = { has_more: z.boolean().nullish(), next_page: z.string().nullish() };

/** The value as the schema reads it. Throws MILLRACE_BILL_INVALID for the first fault, with line and field. */
export function readValue<Schema extends z.ZodType>(
  schema: Schema,
  { value, lineOf, path: outer = [] }: BillDocument,
  file: string,
): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue?.path ?? [];
  const problem =
    issue?.code === 'unrecognized_keys'
      ? `has the unknown field ${issue.keys.join(', ')}`
      : (issue?.message ?? 'is not valid');
  throw invalidBill(file, lineOf(path), [...outer, ...path].map(String).join('.'), problem);
}

/** An amount of US dollars. */
export function usdOf(text: string): Usd {
  return usd(text);
}

/** An amount that is written in cents. */
export function usdOfCents(text: string): Usd {
  return usd(text).times(hundredth);
}

const hundredth = usd('0.01');

/** How many digits after the point a text has. */
export function digitsAfterPoint(text: string): number {
  return text.split('.')[1]?.length ?? 0;
}

/** One unit of the last of so many digits after the point. */
export function unitOf(digits: number): Usd {
  return usd(digits === 0 ? '1' : `0.${'0'.repeat(digits - 1)}1`);
}

/** "1.5e-7" as "0.00000015". */
function plainText(text: string): string {
  const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e');
  const power = Number(exponent);
  if (power === 0) return mantissa;
  const sign = mantissa.startsWith('-') ? '-' : '';
  const [whole = '', fraction = ''] = mantissa.replace('-', '').split('.');
  const digits = `${'0'.repeat(Math.max(0, -power))}${whole}${fraction}${'0'.repeat(Math.max(0, power))}`;
  const point = Math.max(0, -power) + whole.length + power;
  const before = digits.slice(0, point).replace(/^0+(?=\d)/, '');
  const after = digits.slice(point).replace(/0+$/, '');
  return `${sign}${before === '' ? '0' : before}${after === '' ? '' : `.${after}`}`;
}

const dayMs = 86_400_000;

/** The day, in UTC, that a moment lies in. */
export function dayOf(moment: Date): string {
  return moment.toISOString().slice(0, 10);
}

/** The longest period that one bill may cover, in days. */
export const maxDays = 366;

/** The days that the buckets of a page cover, no more than a bill may cover. */
export class CoveredDays {
  readonly #file: string;
  readonly #days = new Set<string>();
  /** Of the buckets of one day there may be many: they are counted once. */
  readonly #spans = new Set<number>();

  constructor(file: string) {
    this.#file = file;
  }

  /** Adds the days from a moment to before another. Throws MILLRACE_BILL_TOO_LARGE. */
  add(from: Date, to: Date): void {
    const first = Math.floor(from.getTime() / dayMs);
    const length = Math.ceil(to.getTime() / dayMs) - first;
    if (length > maxDays) throw this.#tooMany();
    const span = first * 1000 + length;
    if (this.#spans.has(span)) return;
    this.#spans.add(span);
    for (let day = first; day < first + length; day += 1) this.#days.add(dayOf(new Date(day * dayMs)));
    if (this.#days.size > maxDays) throw this.#tooMany();
  }

  /** The days, as they were added. */
  list(): readonly string[] {
    return [...this.#days];
  }

  #tooMany(): Error {
    return tooLarge(this.#file, `covers more than ${maxDays} days`);
  }
}
