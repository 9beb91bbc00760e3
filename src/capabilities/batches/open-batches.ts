import type { CapabilityContext, CapabilityParts } from '../capability.ts';
import type { NameOf } from '../capability.ts';
import type { batchNames } from './batch-names.ts';
import { type BatchIntakeSettings, openIntake } from './intake/open-intake.ts';
import { type BatchRunSettings, openRun } from './run/open-run.ts';

/** Composes batches from their parts. */
export function openBatches(
  context: CapabilityContext<BatchIntakeSettings & BatchRunSettings>,
): CapabilityParts<NameOf<typeof batchNames, 'jobs'>> {
  const run = openRun(context);
  return {
    services: [...(openIntake(context).services ?? []), ...(run.services ?? [])],
    jobs: run.jobs ?? [],
  };
}
