import { formatUsd, sumUsd, type Usd, zeroUsd } from '../../kernel/money.ts';
import { splitCount, splitUsd } from '../../kernel/proportional-split.ts';
import type { Cost, Pricing } from '../../pricing/price.ts';
import { type TokenClass, type TokenCounts, tokenClasses } from '../../pricing/token-classes.ts';
import { type UnitCounts, usageUnits } from '../../pricing/usage-units.ts';
import { invariant } from '../../kernel/invariant.ts';
import type { Settlement } from '../ledger/settlement.ts';

/*
 * What a request used and cost, and how that is split among the calls that shared it: tokens as whole numbers in proportion to
 * the calls' own counts, then the cost of each class in proportion to the split tokens. Parts add up to the whole in every
 * class and in total, whatever the price is made of (decision 0077).
 */

/** What an answer used and cost, before it is booked. */
export interface Appraisal {
  readonly settlement: Settlement;
  /** The provider reported more than the request can have caused. */
  readonly isSuspect: boolean;
  /** Every token, by the class that it is stored in. */
  readonly tokens: TokenCounts;
  /** Undefined where nothing is to be priced. */
  readonly pricing: (Pricing & { readonly isBelieved: boolean }) | undefined;
  /** As the provider named it. */
  readonly answeredModel: string | undefined;
  /** The name to price by. */
  readonly pricedModel: string | undefined;
  readonly tier: string;
}

/** The part of each call, in the order of their weights: whole numbers of at least 0, about their tokens. */
export function splitAppraisal(whole: Appraisal, weights: readonly number[]): readonly Appraisal[] {
  const tokens = splitCounts(whole.tokens, tokenClasses, weights);
  const { pricing } = whole;
  if (pricing?.kind !== 'priced') return tokens.map((part) => ({ ...whole, tokens: part }));
  const { parts: _parts, ...rest } = pricing;
  return splitCost(pricing.cost, tokens, weights).map((cost, place) => ({
    ...whole,
    tokens: tokens[place] ?? {},
    pricing: { ...rest, cost },
  }));
}

/** A cost, where `tokens` are the parts of its tokens. */
function splitCost(cost: Cost, tokens: readonly TokenCounts[], weights: readonly number[]): readonly Cost[] {
  const byClass = tokenClasses.map((name) => {
    const counts = tokens.map((part) => part[name] ?? 0);
    // A class without tokens of its own may have a cost all the same: a correction of what was charged.
    const isCounted = counts.some((count) => count > 0);
    return [name, splitUsd(cost.byClass[name] ?? zeroUsd, isCounted ? counts : weights)] as const;
  });
  const request = splitUsd(cost.request, weights);
  const units = cost.units === undefined ? undefined : splitUsd(cost.units, weights);
  const list = cost.list === undefined ? undefined : splitUsd(cost.list, weights);
  const uses = cost.uses === undefined ? undefined : splitCounts(cost.uses, usageUnits, weights);
  const explained = sumUsd([...Object.values(cost.byClass), cost.request, cost.units ?? zeroUsd]);
  invariant(
    explained.equals(cost.total),
    `a cost of ${formatUsd(cost.total)} is the sum of its classes, its units and its fee`,
  );
  return weights.map((_weight, place) => {
    const own = amountsAt(byClass, place);
    const fee = request[place] ?? zeroUsd;
    const used = units?.[place];
    const counted: UnitCounts | undefined = uses?.[place];
    return {
      byClass: own,
      request: fee,
      total: sumUsd([...Object.values(own), fee, used ?? zeroUsd]),
      ...(used === undefined ? {} : { units: used }),
      ...(counted === undefined ? {} : { uses: counted }),
      ...(list?.[place] === undefined ? {} : { list: list[place] }),
    };
  });
}

/** Each part's counts by name; names of which a part has none are left out. */
function splitCounts<Name extends string>(
  counts: Readonly<Partial<Record<Name, number>>>,
  names: readonly Name[],
  weights: readonly number[],
): readonly Partial<Record<Name, number>>[] {
  const parts = weights.map((): Partial<Record<Name, number>> => ({}));
  for (const name of names) {
    const count: number | undefined = counts[name];
    if (count === undefined || count === 0) continue;
    splitCount(count, weights).forEach((share, place) => {
      const part = parts[place];
      if (part !== undefined && share > 0) part[name] = share;
    });
  }
  return parts;
}

function amountsAt(
  byClass: readonly (readonly [TokenClass, readonly Usd[]])[],
  place: number,
): Readonly<Partial<Record<TokenClass, Usd>>> {
  const amounts = byClass.map(([name, parts]) => [name, parts[place] ?? zeroUsd] as const);
  return Object.fromEntries(amounts.filter(([, amount]) => !amount.isZero()));
}
