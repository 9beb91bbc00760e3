import type { CallerView } from '../../../http/api-key-identity.ts';
import { formatUsd } from '../../../kernel/money.ts';
import { readCount } from '../cost-figures.ts';
import type { CostReports } from '../cost-reports.ts';
import { findPriceOf, thresholdsOf, tierOfSums } from '../../../pricing/saved-amounts.ts';
import { savedByCascades } from '../../../pricing/cascade-savings.ts';
import { savedIn } from '../../../pricing/savings.ts';
import type { SavingsDocument, SavingsReportDocument, SavingsRequest } from './savings-document.ts';
import { cascadeSumsSql, readCascadeSums } from './cascade-query.ts';
import {
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

/** What caching, tiers, cascades and retries saved and wasted. Throws as CostReports does. */
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
  const cascades = await reports.rows(
    (filters, database) => cascadeSumsSql({ ...question, filters }, database),
    question.filters,
    viewer,
  );
  const waste = await reports.query({ ...question, groupBy: ['waste'], messages: 'none' }, viewer);
  return {
    ...savedIn(sums, find),
    cascade: savedByCascades(cascades.map((row) => readCascadeSums(row))),
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
