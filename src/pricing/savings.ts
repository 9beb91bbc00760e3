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
  readonly unvalued: Unvalued;
}

/** Calls in another tier or with cached tokens that are in no saving, by why. */
export interface Unvalued {
  /** Those whose price is no longer known, and their tokens that were read from a cache. */
  readonly calls: number;
  readonly cachedTokens: string;
  /** Those for which no price was known. */
  readonly unpricedCalls: number;
  /** Those that are under way or of unknown outcome: what they cost is not known yet. */
  readonly openCalls: number;
  /** Those that cost nothing. */
  readonly freeCalls: number;
}

/** Why calls are in no saving, for people: how many, and which. */
export function unvaluedParts({
  calls,
  unpricedCalls,
  openCalls,
  freeCalls,
}: Unvalued): readonly { readonly calls: number; readonly which: string }[] {
  return [
    { calls, which: 'with a price that the price book no longer names' },
    { calls: unpricedCalls, which: 'without a price' },
    { calls: openCalls, which: 'under way or of unknown outcome' },
    { calls: freeCalls, which: 'that cost nothing' },
  ].filter((part) => part.calls !== 0);
}

/** What caching and other tiers than the standard one saved over all sums, in the prices that `findPrice` still knows. */
export function savedIn(all: readonly PricedSums[], findPrice: FindPrice): Savings {
  let readTokens = 0n;
  let paidUsd = zeroUsd;
  let uncachedUsd = zeroUsd;
  let writeSurchargeUsd = zeroUsd;
  const ofTiers: SavedByTier[] = [];
  let unvaluedCalls = 0;
  let unpricedCalls = 0;
  let openCalls = 0;
  let freeCalls = 0;
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
    } else if (isCached && sums.priceReference !== '') unvaluedTokens += tokensOf(sums, 'cache_read');
    if (tier !== undefined) ofTiers.push(tier);
    if (isCached === (caching !== undefined) && isOtherTier === (tier !== undefined)) continue;
    openCalls += sums.openCalls;
    freeCalls += sums.freeCalls;
    const billed = sums.calls - sums.openCalls - sums.freeCalls;
    if (sums.priceReference === '') unpricedCalls += billed;
    else unvaluedCalls += billed;
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
    unvalued: {
      calls: unvaluedCalls,
      cachedTokens: unvaluedTokens.toString(),
      unpricedCalls,
      openCalls,
      freeCalls,
    },
  };
}
