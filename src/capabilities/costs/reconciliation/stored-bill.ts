import { createHash } from 'node:crypto';
import { z } from 'zod';
import { usd } from '../../../kernel/money.ts';
import { type Bill, billMeters, billProviders } from './bill.ts';

/* One day of a bill as it is kept beside what was found, so that it can be compared again when the ledger has changed. */

const meter = z.enum(billMeters);
const amount = z.string().transform((text) => usd(text));
const line = {
  place: z.string(),
  day: z.string(),
  model: z.string(),
  tier: z.string().exactOptional(),
  key: z.string().exactOptional(),
};

const storedBillSchema = z.object({
  /** Which bill the day is from: its days are compared together. */
  source: z.string(),
  provider: z.enum(billProviders),
  form: z.string(),
  usage: z.array(
    z.object({
      ...line,
      tokens: z.record(z.string(), z.number()),
      requests: z.number().exactOptional(),
    }),
  ),
  costs: z.array(
    z.object({
      ...line,
      meter,
      name: z.string().exactOptional(),
      amountUsd: amount,
      quantity: z.number().exactOptional(),
    }),
  ),
  requests: z.array(
    z.object({
      ...line,
      requestId: z.string(),
      at: z.string().transform((text) => new Date(text)),
      amountUsd: amount,
      tokens: z.record(z.string(), z.number()),
      isCancelled: z.boolean(),
    }),
  ),
  days: z.array(z.string()),
  notices: z.array(z.string()),
  unitUsd: amount,
});

/** A day of a bill, with the bill that it is from. */
export interface StoredBill extends Bill {
  readonly source: string;
}

/** One day of the bill. */
export function billOfDay(bill: Bill, day: string): Bill {
  return billOfDays(bill, [day]);
}

/** Some days of the bill. */
export function billOfDays(bill: Bill, days: readonly string[]): Bill {
  const asked = new Set(days);
  const isOf = (one: { readonly day: string }): boolean => asked.has(one.day);
  return {
    ...bill,
    usage: bill.usage.filter(isOf),
    costs: bill.costs.filter(isOf),
    requests: bill.requests.filter(isOf),
    days: bill.days.filter((day) => asked.has(day)),
  };
}

/** The text that is kept. An amount writes itself as its plain decimal text. */
export function storedBillText(bill: Bill, source: string): string {
  return JSON.stringify({ source, ...bill });
}

/** Reads it again. */
export function readStoredBill(text: string): StoredBill {
  return storedBillSchema.parse(JSON.parse(text));
}

/** What tells bills apart: all that they say, but not where in which file. */
export function digestOf(value: unknown): string {
  const text = JSON.stringify(value, (key, part: unknown) => (key === 'place' ? undefined : part));
  return createHash('sha256').update(text).digest('hex');
}
