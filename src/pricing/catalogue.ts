import type { Usd } from '../kernel/money.ts';
import type { Rates, UnitRates } from './price.ts';
import type { RatedKind } from './token-classes.ts';

/** A question in the form that catalogues are asked: names in lower case, tier and batch brought to one form. */
export interface PriceLookup {
  readonly provider: string;
  /** The provider whose list prices it follows; the provider itself unless configured otherwise. */
  readonly follows: string;
  readonly model: string;
  readonly at: Date;
  /** "default" or a tier with a price of its own. */
  readonly tier: string;
  readonly batch: boolean;
  /** "global" or a place with a price of its own. */
  readonly geography: string;
}

/** What a catalogue says: a price of its own, or a change of the standard price that the next catalogues give. */
export type Offer =
  | {
      readonly kind: 'price';
      readonly reference: string;
      readonly rates: Rates;
      readonly usdPerRequest?: Usd;
      readonly source?: string;
      /** Pictures, sound and video that have no rate of their own are sold as text, by the provider's rules. */
      readonly sellsMediaAsText?: boolean;
    }
  | {
      readonly kind: 'adjustment';
      readonly reference: string;
      /** Decimal text; applies to every token rate. */
      readonly multiplier: string;
      /** Classes of the standard price that are not sold apart in this mode. */
      readonly without: readonly RatedKind[];
      /** Rates that replace or join the multiplied ones. */
      readonly rates: Rates;
      readonly usdPerRequest?: Usd;
      readonly source?: string;
    };

/** A contract's factor on the list price. */
export interface Discount {
  readonly reference: string;
  /** Decimal text; applies to every token rate. */
  readonly multiplier: string;
  readonly source?: string;
}

/** The span of time, from inclusive, in which an answer holds. Milliseconds since 1970, or infinite. */
export interface Validity {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** A catalogue's answer, also when it has no offer, and how long it stays the same. */
export interface CatalogueEntry {
  readonly offer?: Offer;
  readonly validity: Validity;
}

export interface ModelTokenSizes {
  readonly contextTokens?: number;
  readonly maxOutputTokens?: number;
}

/** A source of prices. Pure: the same lookup always gets the same answer. */
export interface Catalogue {
  /** The name that is stored with every price: "genai-prices@0.1.8". */
  readonly name: string;
  /** Tells one content from another where the name does not. */
  readonly revision?: string;
  find(lookup: PriceLookup): CatalogueEntry;
  /** What it knows of uses of tools, whatever the tier. */
  units?(lookup: PriceLookup): { readonly rates: UnitRates; readonly validity: Validity };
  /** The discount on prices of the catalogues after it, and on its own adjustments. */
  discount?(lookup: PriceLookup): { readonly discount?: Discount; readonly validity: Validity };
  /** The geographies with a price of their own, for upper bounds. */
  geographies?(lookup: PriceLookup): readonly string[];
  /** Whether it has any prices of the provider. */
  hasProvider?(id: string): boolean;
  limits(lookup: Pick<PriceLookup, 'provider' | 'follows' | 'model'>): ModelTokenSizes;
}

export const always: Validity = { fromMs: -Infinity, untilMs: Infinity };

/** The widest span around a time that contains none of the given moments of change. */
export function validityAround(at: Date, changesMs: Iterable<number>): Validity {
  const atMs = at.getTime();
  let fromMs = -Infinity;
  let untilMs = Infinity;
  for (const change of changesMs) {
    if (change <= atMs) fromMs = Math.max(fromMs, change);
    else untilMs = Math.min(untilMs, change);
  }
  return { fromMs, untilMs };
}

/** The span in which both answers hold. */
export function bothValid(left: Validity, right: Validity): Validity {
  return { fromMs: Math.max(left.fromMs, right.fromMs), untilMs: Math.min(left.untilMs, right.untilMs) };
}
