import type { CapabilityContext, CapabilityParts, NameOf } from '../capability.ts';
import type { batchMetrics } from './batch-metrics.ts';
import type { batchNames } from './batch-names.ts';
import { BatchValidators } from './done/batch-validators.ts';
import { openDone } from './done/open-done.ts';
import { type BatchIntakeSettings, openIntake } from './intake/open-intake.ts';
import { type ModeSettings, openMode } from './mode/open-mode.ts';
import { openReport } from './report/open-report.ts';
import { type BatchRunSettings, openRun } from './run/open-run.ts';
import { openSharing } from './sharing/open-sharing.ts';

type Parts = CapabilityParts<NameOf<typeof batchNames, 'jobs'>>;

/** Composes batches from their parts. */
export function openBatches(
  context: CapabilityContext<
    BatchIntakeSettings & BatchRunSettings & ModeSettings,
    typeof batchMetrics,
    NameOf<typeof batchNames, 'jobs'>,
    NameOf<typeof batchNames, 'bounds'>
  >,
): Parts {
  const mode = openMode(context);
  const sharing = openSharing(context, mode);
  const validators = new BatchValidators();
  const parts: readonly Parts[] = [
    openIntake(context, validators),
    openRun(context),
    openDone(context, validators),
    mode,
    sharing,
    openReport(context),
  ];
  return {
    hooks: { ...mode.hooks, ...sharing.hooks },
    services: parts.flatMap(({ services = [] }) => services),
    marked: parts.flatMap(({ marked = [] }) => marked),
    jobs: parts.flatMap(({ jobs = [] }) => jobs),
    readGauges: async (reading) => {
      for (const { readGauges } of parts) await readGauges?.(reading);
    },
  };
}
