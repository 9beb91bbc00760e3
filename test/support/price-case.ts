import { expect, it } from 'vitest';
import { rawUsageOfBody, usageOf, type UsageSource } from '../../src/engine/providers/usage-of-answer.ts';
import { formatUsd, type Usd, usd } from '../../src/kernel/money.ts';
import { packagedPriceBook } from '../../src/pricing/packaged-price-book.ts';
import type { Pricing } from '../../src/pricing/price.ts';

/** The body of an answer as a provider sends it, and what it costs by the provider's published rules. */
export interface PriceCase {
  readonly what: string;
  readonly provider: string;
  readonly model: string;
  /** The time of the call. */
  readonly at?: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly batch?: boolean;
  /** US dollars, or that no price is known. */
  readonly cost: string;
  /** How the cost comes about: US dollars a million times each count, as products and their sum. Empty for what is unpriced. */
  readonly arithmetic: string;
  /** Where the rule and the rates are published. */
  readonly source: string;
  /** Uses of tools that are counted and have no known price. */
  readonly open?: readonly string[];
  /** The list price beside what was charged. */
  readonly list?: string;
  /** A part of the price's reference. */
  readonly reference?: string;
}

/** What most cases of a file share. */
export type SharedFacts = Pick<PriceCase, 'provider' | 'source'> & Partial<PriceCase>;

const book = packagedPriceBook();

const sources: Readonly<Record<string, UsageSource>> = {
  anthropic: { kind: 'anthropic' },
  openai: { kind: 'openai' },
  azure: { kind: 'openai' },
  google: { kind: 'google' },
  gemini: { kind: 'google' },
  vertex: { kind: 'custom' },
  aws: { kind: 'custom' },
  bedrock: { kind: 'custom' },
  cohere: { kind: 'cohere' },
};

/** The answer's usage read from its body, and priced by the packaged price book. */
export function priceOf({ provider, model, at = '2026-11-01T12:00:00Z', body, batch = false }: PriceCase): {
  readonly pricing: Pricing;
  readonly faults: readonly string[];
} {
  const raw = rawUsageOfBody(body);
  const { input, output, faults, ...beside } = usageOf(
    sources[provider] ?? { kind: 'openai-compatible' },
    raw.usage,
    undefined,
    raw.units,
  );
  const pricing = book.price(
    {
      provider,
      model: typeof body['model'] === 'string' ? body['model'] : model,
      at: new Date(at),
      tier: raw.tier ?? 'default',
      batch,
      geography: raw.geography,
    },
    { ...input, ...output },
    beside,
  );
  return { pricing, faults };
}

/** Registers a test a case. */
export function testPriceCases(cases: readonly PriceCase[]): void {
  it.each(cases.map((priceCase) => [`${priceCase.model}: ${priceCase.what}`, priceCase] as const))(
    '%s',
    (_, priceCase) => {
      const { pricing } = priceOf(priceCase);
      const { cost, arithmetic, open, list, reference, source } = priceCase;
      expect(source).not.toBe('');
      if (cost === 'unpriced') {
        expect(pricing).toMatchObject({ kind: 'unpriced' });
        return;
      }
      expect(pricing.kind === 'priced' ? formatUsd(pricing.cost.total) : pricing.reason).toBe(cost);
      if (pricing.kind !== 'priced') return;
      // By hand: the sum of the products, an amount a million.
      expect(formatUsd(sumOfProducts(list === undefined ? arithmetic : ''))).toBe(
        list === undefined ? formatUsd(usd(cost).times(1_000_000)) : '0',
      );
      expect(pricing.openUnits ?? []).toEqual(open ?? []);
      expect(pricing.cost.list === undefined ? undefined : formatUsd(pricing.cost.list)).toBe(list);
      if (reference !== undefined) expect(pricing.price.reference).toContain(reference);
      const { byClass, request, units = usd('0') } = pricing.cost;
      const parts = Object.values(byClass).reduce((sum, amount) => sum.plus(amount), usd('0'));
      expect(formatUsd(parts.plus(request).plus(units))).toBe(cost);
    },
  );
}

/** "1000×3 + 200×15×1.1": exact, in decimals. */
export function sumOfProducts(text: string): Usd {
  return text
    .split('+')
    .map((term) => term.trim())
    .filter((term) => term !== '')
    .map((term) =>
      term
        .split('×')
        .map((factor) => usd(factor.trim()))
        .reduce((product, factor) => product.times(factor)),
    )
    .reduce((sum, product) => sum.plus(product), usd('0'));
}

/** A row of a table of cases: what, model, body, cost, arithmetic, and what else there is. */
export type PriceRow = readonly [
  what: string,
  model: string,
  body: Readonly<Record<string, unknown>>,
  cost: string,
  arithmetic: string,
  more?: Partial<PriceCase>,
];

/** The rows as cases. */
export function casesOf(shared: SharedFacts, rows: readonly PriceRow[]): PriceCase[] {
  return rows.map(([what, model, body, cost, arithmetic, more]) => ({
    ...shared,
    what,
    model,
    body,
    cost,
    arithmetic,
    ...more,
  }));
}
