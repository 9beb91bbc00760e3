import { z } from 'zod';
import type { Fault } from '../kernel/app-error.ts';
import { rateScale } from '../kernel/money.ts';
import { tierOf } from './tier-names.ts';
import { ratedKinds } from './token-classes.ts';
import { usageUnits } from './usage-units.ts';

/*
 * The format of a price overlay: what may stand in the file, and what must hold between its parts.
 * docs/prices.md explains it to its writers.
 */

const decimal = z
  .string({ error: 'must be a decimal in quotes, such as "1.25"' })
  .regex(
    new RegExp(`^\\d{1,9}(\\.\\d{1,${rateScale}})?$`),
    `must be a plain decimal such as "1.25", with at most ${rateScale} digits after the point`,
  );
const factor = decimal.regex(
  /^\d{1,3}(\.\d{1,6})?$/,
  'must be a factor such as "0.5", with at most 6 digits after the point',
);
const tokenCount = z.int().positive();

const rate = z.union(
  [
    decimal.transform((usdPerMillion) => ({ usdPerMillion, tiers: [] })),
    z.strictObject({
      usdPerMillion: decimal,
      tiers: z
        .array(z.strictObject({ aboveInputTokens: tokenCount, usdPerMillion: decimal }))
        .refine(
          (tiers) =>
            tiers.every(
              (tier, i) => i === 0 || tier.aboveInputTokens > (tiers[i - 1]?.aboveInputTokens ?? 0),
            ),
          'must ascend by aboveInputTokens',
        )
        .default([]),
    }),
  ],
  {
    error: `must be a decimal in quotes such as "1.25" (at most ${rateScale} digits after the point), or { "usdPerMillion": "1.25", "tiers": [{ "aboveInputTokens": 200000, "usdPerMillion": "2.50" }] } with ascending tiers`,
  },
);

const moment = z.union([z.iso.date(), z.iso.datetime()], {
  error: 'must be a date such as "2026-01-31" or a UTC time such as "2026-01-31T12:00:00Z"',
});

const name = z.string().min(1).max(256).toLowerCase();
const modelPattern = name.regex(/^[^*]*\*?$/, 'may have one * and only at its end');

const entry = z
  .strictObject({
    provider: name,
    model: modelPattern,
    from: moment.optional(),
    until: moment.optional(),
    tier: name
      .refine((tier) => tier !== 'batch', 'batch is not a tier here: write "batch": true')
      .transform((tier) => tierOf(tier))
      .default('default'),
    batch: z.boolean().default(false),
    multiplier: factor.optional(),
    without: z.array(z.enum(ratedKinds)).optional(),
    rates: z.partialRecord(z.enum(ratedKinds), rate).optional(),
    usdPerRequest: decimal.optional(),
    /** Where the provider served it; without one: not bound to a place. A multiplier then applies to every tier. */
    geography: name.default('global'),
    /** Where the figures stand: an address, with the day it was read; a contract's name. */
    source: z.string().optional(),
    note: z.string().optional(),
  })
  .refine(({ from, until }) => !from || !until || Date.parse(from) < Date.parse(until), {
    path: ['until'],
    error: 'must be later than from',
  })
  .refine(({ multiplier, rates, usdPerRequest }) => multiplier ?? rates ?? usdPerRequest, {
    error: 'must have rates, a multiplier or usdPerRequest',
  })
  .refine(({ multiplier, without }) => multiplier !== undefined || without === undefined, {
    path: ['without'],
    error: 'only says something beside a multiplier',
  });

const spanned = { from: moment.optional(), until: moment.optional() };

const unitPrice = z.strictObject({
  provider: name,
  model: modelPattern.default('*'),
  ...spanned,
  unit: z.enum(usageUnits),
  usdPerUse: decimal,
  source: z.string().optional(),
});

const contract = z
  .strictObject({
    name: z.string().min(1).max(256),
    provider: name,
    model: modelPattern.default('*'),
    ...spanned,
    /** The share taken off every token rate: "0.12" is twelve percent. */
    discount: z
      .string({ error: 'must be a share in quotes, such as "0.12" for twelve percent' })
      .regex(/^(0(\.\d{1,6})?|1)$/, 'must be a share from 0 to 1, such as "0.12" for twelve percent'),
  })
  .refine(({ from, until }) => !from || !until || Date.parse(from) < Date.parse(until), {
    path: ['until'],
    error: 'must be later than from',
  });

const limit = z
  .strictObject({
    provider: name,
    model: modelPattern,
    /** When it was last known to hold; for the reader only. */
    asOf: z.iso.date().optional(),
    contextTokens: tokenCount.optional(),
    maxOutputTokens: tokenCount.optional(),
  })
  .refine(({ contextTokens, maxOutputTokens }) => contextTokens ?? maxOutputTokens, {
    error: 'must have contextTokens or maxOutputTokens',
  });

const content = z.strictObject({
  prices: z.array(entry).default([]),
  contracts: z.array(contract).default([]),
  units: z.array(unitPrice).default([]),
  limits: z.array(limit).default([]),
});

/** One price. */
export const overlayEntrySchema = entry;

export type OverlayEntry = z.output<typeof entry>;
export type OverlayLimit = z.output<typeof limit>;
/** What stands in an overlay, after its defaults are filled in. */
export type OverlayContent = z.output<typeof content>;
/** What may be written into an overlay. */
export type OverlayInput = z.input<typeof content>;

/** Checks a value against the format. All faults at once, by path: "prices.3.rates.reasoning". */
export function parseOverlayContent(
  value: unknown,
): { readonly content: OverlayContent } | { readonly faults: Fault[] } {
  const parsed = content.safeParse(value);
  if (!parsed.success) {
    return {
      faults: parsed.error.issues.map((issue) => ({ field: issue.path.join('.'), problem: issue.message })),
    };
  }
  const { prices, contracts, units, limits } = parsed.data;
  const faults = [
    ...overlapping('prices', prices, kindOf),
    ...overlapping('contracts', contracts, () => ''),
    ...overlapping('units', units, ({ unit }) => unit),
    ...repeatedLimits(limits),
  ];
  return faults.length > 0 ? { faults } : { content: parsed.data };
}

/** When an entry holds, in milliseconds since 1970. */
export function entrySpan({ from, until }: Pick<OverlayEntry, 'from' | 'until'>): {
  fromMs: number;
  untilMs: number;
} {
  return { fromMs: from ? Date.parse(from) : -Infinity, untilMs: until ? Date.parse(until) : Infinity };
}

interface SpannedEntry extends Pick<OverlayEntry, 'from' | 'until'> {
  readonly provider: string;
  readonly model: string;
}

/** Two entries that say the same of the same model must not hold at the same time: neither would be the price. */
function overlapping<T extends SpannedEntry>(
  list: string,
  entries: readonly T[],
  keyOf: (entry: T) => string,
): Fault[] {
  return entries.flatMap((later, laterIndex) => {
    const earlierIndex = entries.findIndex(
      (earlier, index) => index < laterIndex && clash(earlier, later, keyOf),
    );
    if (earlierIndex < 0) return [];
    const key = keyOf(later);
    const what = `${later.provider}/${later.model}${key === '' ? '' : ` (${key})`}`;
    return [
      { field: `${list}.${laterIndex}`, problem: `overlaps ${list}.${earlierIndex} in time for ${what}` },
    ];
  });
}

/** Whether two prices say the same of the same model at the same time. */
export function entriesClash(left: OverlayEntry, right: OverlayEntry): boolean {
  return clash(left, right, kindOf);
}

function clash<T extends SpannedEntry>(left: T, right: T, keyOf: (entry: T) => string): boolean {
  return (
    left.provider === right.provider &&
    left.model === right.model &&
    keyOf(left) === keyOf(right) &&
    spansOverlap(left, right)
  );
}

/** Which of a model's prices an entry is: tier, mode and place. */
function kindOf({ tier, batch, geography }: OverlayEntry): string {
  return [tier, batch ? 'batch' : '', geography === 'global' ? '' : geography].filter(Boolean).join(', ');
}

function spansOverlap(left: SpannedEntry, right: SpannedEntry): boolean {
  const a = entrySpan(left);
  const b = entrySpan(right);
  return a.fromMs < b.untilMs && b.fromMs < a.untilMs;
}

function repeatedLimits(limits: readonly OverlayLimit[]): Fault[] {
  return limits.flatMap(({ provider, model }, laterIndex) => {
    const earlierIndex = limits.findIndex(
      (earlier, index) => index < laterIndex && earlier.provider === provider && earlier.model === model,
    );
    if (earlierIndex < 0) return [];
    return [
      { field: `limits.${laterIndex}`, problem: `repeats limits.${earlierIndex} for ${provider}/${model}` },
    ];
  });
}
