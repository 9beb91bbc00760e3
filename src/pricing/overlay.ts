import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { AppError, type Fault } from '../kernel/app-error.ts';
import { usd } from '../kernel/money.ts';
import {
  type Catalogue,
  type CatalogueEntry,
  type ModelTokenSizes,
  type Offer,
  type PriceLookup,
  type Rates,
  validityAround,
} from './catalogue.ts';
import { withoutSnapshotDate } from './model-match.ts';
import { entrySpan, type OverlayContent, type OverlayEntry, parseOverlayContent } from './overlay-content.ts';
import type { Rate } from './price.ts';
import { type TokenClass, tokenClasses } from './token-classes.ts';

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
    const entries = this.#content.prices.filter(
      (entry) => entry.tier === lookup.tier && entry.batch === lookup.batch && specificity(entry, lookup) > 0,
    );
    const spans = entries.map((entry) => ({ entry, ...entrySpan(entry) }));
    const validity = validityAround(
      lookup.at,
      spans.flatMap(({ fromMs, untilMs }) => [fromMs, untilMs]),
    );
    const atMs = lookup.at.getTime();
    const inForce = spans
      .filter(({ fromMs, untilMs }) => fromMs <= atMs && atMs < untilMs)
      .map(({ entry }) => entry);
    const entry = mostSpecific(inForce, lookup);
    return entry ? { offer: this.#offer(entry), validity } : { validity };
  }

  limits(lookup: Pick<PriceLookup, 'provider' | 'follows' | 'model'>): ModelTokenSizes {
    const limit = mostSpecific(this.#content.limits, lookup);
    return {
      ...(limit?.contextTokens === undefined ? {} : { contextTokens: limit.contextTokens }),
      ...(limit?.maxOutputTokens === undefined ? {} : { maxOutputTokens: limit.maxOutputTokens }),
    };
  }

  #offer(entry: OverlayEntry): Offer {
    const mode = `${entry.tier === 'default' ? '' : `+${entry.tier}`}${entry.batch ? '+batch' : ''}`;
    const reference = `${this.name}:${entry.provider}/${entry.model}@${entry.from ?? 'always'}${mode}`;
    const parts = {
      reference,
      rates: readRates(entry),
      ...(entry.usdPerRequest === undefined ? {} : { usdPerRequest: usd(entry.usdPerRequest) }),
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

/** The overlay in a file's text. Throws MILLRACE_PRICE_OVERLAY_INVALID with every fault. */
export function parseOverlay(text: string, path: string): PriceOverlay {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid(path, [{ field: '', problem: `is not JSON: ${String(error)}` }], error);
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
  const rates: Partial<Record<TokenClass, Rate>> = {};
  for (const tokenClass of tokenClasses) {
    const rate = entry.rates?.[tokenClass];
    if (!rate) continue;
    const tiers = rate.tiers.map((tier) => ({ ...tier, usdPerMillion: usd(tier.usdPerMillion) }));
    rates[tokenClass] = { usdPerMillion: usd(rate.usdPerMillion), tiers };
  }
  return rates;
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
  return subject.model === withoutSnapshotDate(lookup.model) ? ofProvider + longestPattern : 0;
}
