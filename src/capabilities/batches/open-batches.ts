import type { CapabilityContext, CapabilityParts, NameOf } from '../capability.ts';
import type { batchMetrics } from './batch-metrics.ts';
import type { batchNames } from './batch-names.ts';
import { type BatchIntakeSettings, openIntake } from './intake/open-intake.ts';
import { openReport } from './report/open-report.ts';
import { type BatchRunSettings, openRun } from './run/open-run.ts';

/** Composes batches from their parts. */
export function openBatches(
  context: CapabilityContext<
    BatchIntakeSettings & BatchRunSettings,
    typeof batchMetrics,
    NameOf<typeof batchNames, 'jobs'>,
    NameOf<typeof batchNames, 'bounds'>
  >,
): CapabilityParts<NameOf<typeof batchNames, 'jobs'>> {
  const run = openRun(context);
  const report = openReport(context);
  return {
    services: [...(openIntake(context).services ?? []), ...(run.services ?? []), ...report.services],
    jobs: run.jobs ?? [],
    readGauges: report.readGauges,
  };
}
