import { formatUsd, ratioText, usd, usdEach } from '../../../kernel/money.ts';
import type { Batch } from '../batch.ts';
import type { BatchReportDocument, ComparedFigures } from './report-document.ts';
import type { TotalsRow } from './report-rows.ts';

/** The batch before, with what the ledger still says of its calls. */
export interface PreviousBatch {
  readonly batch: Batch;
  readonly totals: TotalsRow;
}

/** A batch beside the one before it, in figures that do not depend on how many items they had. */
export function comparisonOf(
  report: Omit<BatchReportDocument, 'previous'>,
  { batch, totals }: PreviousBatch,
): NonNullable<BatchReportDocument['previous']> {
  const { id, origin, state, startedAt, endedAt, items, ended } = batch;
  const seconds =
    startedAt === undefined || endedAt === undefined
      ? undefined
      : Math.max(0, endedAt.getTime() - startedAt.getTime()) / 1000;
  const figures = figuresOf({
    items,
    succeeded: ended.succeeded,
    seconds,
    calls: totals.calls,
    costUsd: totals.cost_usd,
    wasteUsd: totals.waste_usd,
    input: totals.input_tokens,
    cached: totals.cached_tokens,
  });
  const present = figuresOf({
    items: report.items.total,
    succeeded: report.items.succeeded,
    seconds: report.time.seconds,
    calls: report.cost.calls,
    costUsd: report.cost.totalUsd,
    wasteUsd: report.cost.wasteUsd,
    input: report.tokens.input,
    cached: report.tokens.byClass.cache_read,
  });
  const before = figures.costPerSucceededUsd;
  const now = present.costPerSucceededUsd;
  const change =
    before === undefined || now === undefined
      ? undefined
      : ratioText(usd(now).minus(usd(before)), usd(before));
  return {
    batch: {
      id,
      name: origin.batch,
      state,
      ...(startedAt === undefined ? {} : { startedAt: startedAt.toISOString() }),
      ...(endedAt === undefined ? {} : { endedAt: endedAt.toISOString() }),
    },
    isComplete: totals.gone === 0,
    figures,
    present,
    ...(change === undefined ? {} : { costPerSucceededChange: change }),
  };
}

function figuresOf(read: {
  readonly items: number;
  readonly succeeded: number;
  readonly seconds: number | undefined;
  readonly calls: number;
  readonly costUsd: string;
  readonly wasteUsd: string;
  readonly input: string;
  readonly cached: string;
}): ComparedFigures {
  const cost = usd(read.costUsd);
  const each = usdEach(cost, read.succeeded);
  const wasteShare = ratioText(usd(read.wasteUsd), cost);
  const cacheHitRate = ratioText(usd(read.cached), usd(read.input));
  return {
    items: read.items,
    succeeded: read.succeeded,
    ...(read.seconds === undefined ? {} : { seconds: read.seconds }),
    calls: read.calls,
    costUsd: formatUsd(cost),
    ...(each === undefined ? {} : { costPerSucceededUsd: formatUsd(each) }),
    ...(wasteShare === undefined ? {} : { wasteShare }),
    ...(cacheHitRate === undefined ? {} : { cacheHitRate }),
  };
}
