import { formatUsd, sumUsd, zeroUsd } from '../kernel/money.ts';
import {
  cacheClasses,
  findPriceOf,
  type FindPrice,
  type PricedSums,
  savedByCaching,
  savedByTier,
  type SavedByTier,
  tierOfSums,
  tokensOf,
} from './saved-amounts.ts';

/** Savings as documents tell them: amounts and tokens are exact decimal texts. */
export interface Savings {
  readonly caching: {
    readonly readTokens: string;
    readonly paidUsd: string;
    readonly uncachedUsd: string;
    readonly writeSurchargeUsd: string;
    readonly savedUsd: string;
  };
  /** By the tier: every one but the standard one. */
  readonly tiers: {
    readonly tier: string;
    readonly calls: number;
    readonly paidUsd: string;
    readonly standardUsd: string;
    readonly savedUsd: string;
  }[];
  /** Calls in another tier or with cached tokens whose price is no longer known: they are in no saving. */
  readonly unvalued: { readonly calls: number; readonly cachedTokens: string };
}

/** What caching and other tiers than the standard one saved over all sums, in the prices that `findPrice` still knows. */
export function savedIn(all: readonly PricedSums[], findPrice: FindPrice): Savings {
  let readTokens = 0n;
  let paidUsd = zeroUsd;
  let uncachedUsd = zeroUsd;
  let writeSurchargeUsd = zeroUsd;
  const ofTiers: SavedByTier[] = [];
  let unvaluedCalls = 0;
  let unvaluedTokens = 0n;
  for (const sums of all) {
    const isCached = cacheClasses.some((name) => tokensOf(sums, name) !== 0n);
    const isOtherTier = tierOfSums(sums) !== 'default';
    if (!isCached && !isOtherTier) continue;
    const found = findPriceOf(sums, findPrice);
    const caching = isCached && found !== undefined ? savedByCaching(sums, found) : undefined;
    const tier = isOtherTier && found !== undefined ? savedByTier(sums, found, findPrice) : undefined;
    if (caching !== undefined) {
      readTokens += caching.readTokens;
      paidUsd = paidUsd.plus(caching.paidUsd);
      uncachedUsd = uncachedUsd.plus(caching.uncachedUsd);
      writeSurchargeUsd = writeSurchargeUsd.plus(caching.writeSurchargeUsd);
    } else if (isCached) unvaluedTokens += tokensOf(sums, 'cache_read');
    if (tier !== undefined) ofTiers.push(tier);
    if ((isCached && caching === undefined) || (isOtherTier && tier === undefined))
      unvaluedCalls += sums.calls;
  }
  const savedUsd = uncachedUsd.minus(paidUsd).minus(writeSurchargeUsd);
  return {
    caching: {
      readTokens: readTokens.toString(),
      paidUsd: formatUsd(paidUsd),
      uncachedUsd: formatUsd(uncachedUsd),
      writeSurchargeUsd: formatUsd(writeSurchargeUsd),
      savedUsd: formatUsd(savedUsd),
    },
    tiers: [...Map.groupBy(ofTiers, ({ tier }) => tier)]
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
      .map(([tier, parts]) => {
        const paid = sumUsd(parts.map((part) => part.paidUsd));
        const standard = sumUsd(parts.map((part) => part.standardUsd));
        return {
          tier,
          calls: parts.reduce((sum, { calls }) => sum + calls, 0),
          paidUsd: formatUsd(paid),
          standardUsd: formatUsd(standard),
          savedUsd: formatUsd(standard.minus(paid)),
        };
      }),
    unvalued: { calls: unvaluedCalls, cachedTokens: unvaluedTokens.toString() },
  };
}
