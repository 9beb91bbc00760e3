import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { parse as parseYaml } from 'yaml';
import { AppError, type Fault } from '../kernel/app-error.ts';
import { usd } from '../kernel/money.ts';
import {
  always,
  bothValid,
  type Catalogue,
  type Discount,
  type CatalogueEntry,
  type ModelTokenSizes,
  type Offer,
  type PriceLookup,
  type Validity,
  validityAround,
} from './catalogue.ts';
import { fineTunedBase, withoutSnapshotDate } from './model-match.ts';
import { entrySpan, type OverlayContent, type OverlayEntry, parseOverlayContent } from './overlay-content.ts';
import type { Rate, Rates, UnitRates } from './price.ts';
import { type RatedKind, ratedKinds } from './token-classes.ts';
import type { UsageUnit } from './usage-units.ts';
import type { Usd } from '../kernel/money.ts';

/*
 * An overlay: dated prices of own contracts, and what the packaged catalogue lacks. Of the entries for a
 * provider, tier and mode that are in force, the most specific one holds: the provider's own name before the
 * one it follows, then the exact model, the exact model without its snapshot date, the longest prefix.
 */

/** Which model an entry or a limit speaks of. */
interface Subject {
  readonly provider: string;
  readonly model: string;
}

/** A catalogue made of an overlay's entries. */
export class PriceOverlay implements Catalogue {
  readonly name: string;
  readonly #content: OverlayContent;

  constructor(name: string, content: OverlayContent) {
    this.name = name;
    this.#content = content;
  }

  find(lookup: PriceLookup): CatalogueEntry {
    const isBound = lookup.geography !== 'global';
    const entries = this.#content.prices.filter(
      (entry) =>
        entry.geography === lookup.geography &&
        // What a place costs more is the same in every tier.
        ((isBound && entry.multiplier !== undefined) ||
          (entry.tier === lookup.tier && entry.batch === lookup.batch)),
    );
    const { entry, validity } = inForce(entries, lookup);
    return entry ? { offer: this.#offer(entry), validity } : { validity };
  }

  units(lookup: PriceLookup): { readonly rates: UnitRates; readonly validity: Validity } {
    const rates: Partial<Record<UsageUnit, Usd>> = {};
    let validity = always;
    for (const unit of new Set(this.#content.units.map((entry) => entry.unit))) {
      const found = inForce(
        this.#content.units.filter((entry) => entry.unit === unit),
        lookup,
      );
      validity = bothValid(validity, found.validity);
      if (found.entry) rates[unit] = usd(found.entry.usdPerUse);
    }
    return { rates, validity };
  }

  discount(lookup: PriceLookup): { readonly discount?: Discount; readonly validity: Validity } {
    const { entry, validity } = inForce(this.#content.contracts, lookup);
    if (!entry) return { validity };
    const { provider, model, from, discount } = entry;
    return {
      discount: {
        reference: `${this.name}:${provider}/${model}@${from ?? 'always'}-${discount}`,
        multiplier: usd('1').minus(usd(discount)).toFixed(),
        source: `contract ${entry.name}`,
      },
      validity,
    };
  }

  geographies(lookup: PriceLookup): readonly string[] {
    const named = this.#content.prices.filter(
      (entry) => entry.geography !== 'global' && specificity(entry, lookup) > 0,
    );
    return [...new Set(named.map(({ geography }) => geography))];
  }

  /** What no longer holds and nothing follows: entries whose time is over, with no later one for the same. */
  pastEntries(now: Date): readonly string[] {
    const { prices, contracts } = this.#content;
    const pastOf = (list: string, entries: readonly (Subject & Pick<OverlayEntry, 'from' | 'until'>)[]) =>
      entries.flatMap((entry, index) => {
        const isPast = entrySpan(entry).untilMs <= now.getTime();
        const isFollowed = entries.some(
          (other) =>
            other.provider === entry.provider &&
            other.model === entry.model &&
            entrySpan(other).untilMs > now.getTime(),
        );
        if (!isPast || isFollowed) return [];
        return [
          `${list}.${index}: ${entry.provider}/${entry.model} ended on ${entry.until}; list prices hold since`,
        ];
      });
    return [...pastOf('prices', prices), ...pastOf('contracts', contracts)];
  }

  hasProvider(id: string): boolean {
    return this.#content.prices.some(({ provider }) => provider === id);
  }

  limits(lookup: Pick<PriceLookup, 'provider' | 'follows' | 'model'>): ModelTokenSizes {
    const limit = mostSpecific(this.#content.limits, lookup);
    return {
      ...(limit?.contextTokens === undefined ? {} : { contextTokens: limit.contextTokens }),
      ...(limit?.maxOutputTokens === undefined ? {} : { maxOutputTokens: limit.maxOutputTokens }),
    };
  }

  #offer(entry: OverlayEntry): Offer {
    const mode = [
      entry.tier === 'default' ? '' : `+${entry.tier}`,
      entry.batch ? '+batch' : '',
      entry.geography === 'global' ? '' : `+${entry.geography}`,
    ].join('');
    const reference = `${this.name}:${entry.provider}/${entry.model}@${entry.from ?? 'always'}${mode}`;
    const parts = {
      reference,
      rates: readRates(entry),
      ...(entry.usdPerRequest === undefined ? {} : { usdPerRequest: usd(entry.usdPerRequest) }),
      ...(entry.source === undefined ? {} : { source: entry.source }),
    };
    if (entry.multiplier === undefined) return { kind: 'price', ...parts };
    return { kind: 'adjustment', multiplier: entry.multiplier, without: entry.without ?? [], ...parts };
  }
}

/** Reads an overlay file. Throws MILLRACE_PRICE_OVERLAY_INVALID with every fault, also when it cannot be read. */
export async function readOverlayFile(path: string): Promise<PriceOverlay> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw invalid(
      path,
      [{ field: '', problem: error instanceof Error ? error.message : String(error) }],
      error,
    );
  }
  return parseOverlay(text, path);
}

/** The overlay in a file's text, YAML or JSON by the file's name. Throws MILLRACE_PRICE_OVERLAY_INVALID with every fault. */
export function parseOverlay(text: string, path: string): PriceOverlay {
  const isYaml = /\.ya?ml$/i.test(path);
  let value: unknown;
  try {
    value = isYaml ? parseYaml(text) : JSON.parse(text);
  } catch (error) {
    const format = isYaml ? 'YAML' : 'JSON';
    throw invalid(path, [{ field: '', problem: `is not ${format}: ${String(error)}` }], error);
  }
  const parsed = parseOverlayContent(value);
  if ('faults' in parsed) throw invalid(path, parsed.faults);
  return new PriceOverlay(`overlay:${contentDigest(text)}`, parsed.content);
}

/** The first 12 hexadecimal digits of the text's SHA-256: tells one version of an overlay from another. */
export function contentDigest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

function invalid(path: string, faults: readonly Fault[], cause?: unknown): AppError {
  const list = faults.map(({ field, problem }) => (field ? `${field}: ${problem}` : problem)).join('; ');
  return new AppError('MILLRACE_PRICE_OVERLAY_INVALID', `The price overlay ${path} is not valid: ${list}`, {
    faults,
    ...(cause === undefined ? {} : { cause }),
  });
}

function readRates(entry: OverlayEntry): Rates {
  const rates: Partial<Record<RatedKind, Rate>> = {};
  for (const kind of ratedKinds) {
    const rate = entry.rates?.[kind];
    if (!rate) continue;
    const tiers = rate.tiers.map((tier) => ({ ...tier, usdPerMillion: usd(tier.usdPerMillion) }));
    rates[kind] = { usdPerMillion: usd(rate.usdPerMillion), tiers };
  }
  return rates;
}

/** Of the entries that name the model, the most specific one in force, and how long that stays so. */
function inForce<T extends Subject & Pick<OverlayEntry, 'from' | 'until'>>(
  entries: readonly T[],
  lookup: PriceLookup,
): { readonly entry: T | undefined; readonly validity: Validity } {
  const spans = entries
    .filter((entry) => specificity(entry, lookup) > 0)
    .map((entry) => ({ entry, ...entrySpan(entry) }));
  const atMs = lookup.at.getTime();
  const holding = spans
    .filter(({ fromMs, untilMs }) => fromMs <= atMs && atMs < untilMs)
    .map(({ entry }) => entry);
  return {
    entry: mostSpecific(holding, lookup),
    validity: validityAround(
      lookup.at,
      spans.flatMap(({ fromMs, untilMs }) => [fromMs, untilMs]),
    ),
  };
}

function mostSpecific<T extends Subject>(
  subjects: readonly T[],
  lookup: Pick<PriceLookup, 'provider' | 'follows' | 'model'>,
): T | undefined {
  let best: T | undefined;
  let bestSpecificity = 0;
  for (const subject of subjects) {
    const value = specificity(subject, lookup);
    if (value > bestSpecificity) [best, bestSpecificity] = [subject, value];
  }
  return best;
}

const longestPattern = 1000;

/** How closely the subject names what is looked up; 0 when it does not. */
function specificity(subject: Subject, lookup: Pick<PriceLookup, 'provider' | 'follows' | 'model'>): number {
  if (subject.provider !== lookup.provider && subject.provider !== lookup.follows) return 0;
  const ofProvider = subject.provider === lookup.provider ? longestPattern * 10 : 0;
  if (subject.model.endsWith('*')) {
    const prefix = subject.model.slice(0, -1);
    return lookup.model.startsWith(prefix) ? ofProvider + 1 + prefix.length : 0;
  }
  if (subject.model === lookup.model) return ofProvider + longestPattern * 2;
  // A fine-tuned model is sold under its base: "ft:gpt-4.1-2025-04-14" for "ft:gpt-4.1-2025-04-14:acme::abc".
  const base = fineTunedBase(lookup.model);
  if (base !== undefined) return subject.model === base ? ofProvider + longestPattern : 0;
  return subject.model === withoutSnapshotDate(lookup.model) ? ofProvider + longestPattern : 0;
}
