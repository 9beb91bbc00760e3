import type { CallerView } from '../../../http/api-key-identity.ts';
import { formatUsd, sumUsd, zeroUsd } from '../../../kernel/money.ts';
import { readCount } from '../cost-figures.ts';
import type { CostReports } from '../cost-reports.ts';
import {
  findPriceOf,
  type PricedSums,
  savedByCaching,
  savedByTier,
  type SavedByTier,
  thresholdsOf,
  tierOfSums,
  tokensOf,
} from './saved-amounts.ts';
import type { SavingsDocument, SavingsReportDocument, SavingsRequest } from './savings-document.ts';
import {
  cacheClasses,
  pricedKeysSql,
  pricedSumsSql,
  readPricedKey,
  readPricedSums,
  type SavingsQuestion,
} from './savings-query.ts';

/** The savings of a period, for the viewer, as GET /v1/costs/savings answers. Throws as CostReports does. */
export async function reportSavings(
  reports: CostReports,
  request: SavingsRequest,
  viewer: CallerView,
): Promise<SavingsReportDocument> {
  const lag = await reports.exportLagSeconds();
  const savings = await readSavings(reports, request, viewer);
  return {
    from: request.from.toISOString(),
    to: request.to.toISOString(),
    timeZone: request.timeZone,
    currency: 'USD',
    ...savings,
    ...(lag === undefined ? {} : { exportLagSeconds: lag }),
  };
}

/** What caching, tiers and retries saved and wasted. Throws as CostReports does. */
export async function readSavings(
  reports: CostReports,
  question: SavingsQuestion,
  viewer: CallerView,
): Promise<SavingsDocument> {
  const find = reports.findPrice;
  const keyRows = await reports.rows(
    (filters, database) => pricedKeysSql({ ...question, filters }, database),
    question.filters,
    viewer,
  );
  const keys = keyRows.map((row) => readPricedKey(row));
  const bounds = keys.flatMap((key) => {
    const found = findPriceOf(key, find);
    return found === undefined ? [] : thresholdsOf(found.price);
  });
  const thresholds = [...new Set(bounds)].toSorted((left, right) => left - right);
  const tiers = [...new Set(keys.filter((key) => tierOfSums(key) !== 'default').map(({ tier }) => tier))];
  const hasCorrections = keyRows.some((row) => readCount(row, 'corrections') > 0);
  const rows = await reports.rows(
    (filters, database) =>
      pricedSumsSql({ ...question, filters }, { thresholds, tiers, hasCorrections }, database),
    question.filters,
    viewer,
  );
  const sums = rows.map((row) => readPricedSums(row, thresholds));
  const waste = await reports.query({ ...question, groupBy: ['waste'], messages: 'none' }, viewer);
  return {
    ...savedIn(sums, reports),
    waste: {
      wasteUsd: formatUsd(waste.total.wasteUsd),
      causes: waste.groups.flatMap(({ group, costUsd, calls }) =>
        group.waste === undefined || group.waste === ''
          ? []
          : [{ cause: group.waste, costUsd: formatUsd(costUsd), calls }],
      ),
    },
    unknown: ['reused_answers'],
  };
}

function savedIn(
  all: readonly PricedSums[],
  { findPrice }: Pick<CostReports, 'findPrice'>,
): Pick<SavingsDocument, 'caching' | 'tiers' | 'unvalued'> {
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
