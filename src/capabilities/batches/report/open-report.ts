import { ConcurrencyLimiter } from '../../../kernel/concurrency-limiter.ts';
import type { CapabilityContext, CapabilityParts, NameOf } from '../../capability.ts';
import type { batchMetrics } from '../batch-metrics.ts';
import type { batchNames } from '../batch-names.ts';
import { BatchGauges } from './batch-gauges.ts';
import { BatchReports } from './batch-reports.ts';

/** Each sums over all calls of a batch, and costs the database some seconds where that has a hundred thousand items. */
const reportsAtOnce = 2;
const maxWaitingReports = 20;
const reportWaitMs = 30_000;

/** What reports are given. */
export type ReportContext = CapabilityContext<
  unknown,
  typeof batchMetrics,
  never,
  NameOf<typeof batchNames, 'bounds'>
>;

/** Composes the reports of batches, and what is shown of all batches at a scrape. */
export function openReport({
  database,
  clock,
  bounds,
  metrics,
  engine,
}: ReportContext): Required<Pick<CapabilityParts, 'services' | 'readGauges'>> {
  const limiter = new ConcurrencyLimiter({
    what: 'Reports of batches',
    limit: reportsAtOnce,
    limitPerKey: 1,
    maxWaiting: maxWaitingReports,
    maxWaitingPerKey: maxWaitingReports / 2,
    maxWaitMs: reportWaitMs,
    clock,
  });
  bounds.register('batch_reports', limiter);
  const reports = new BatchReports({
    database,
    limiter,
    findPrice: (question) =>
      engine.pricer.present.findPrice({
        ...question,
        provider: engine.providers.priceProviderOf(question.provider),
      }),
  });
  const gauges = new BatchGauges(database, metrics);
  return {
    services: [[BatchReports, reports]],
    readGauges: () => gauges.show(),
  };
}
