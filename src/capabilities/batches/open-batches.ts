import type { CapabilityContext, CapabilityParts } from '../capability.ts';
import type { NameOf } from '../capability.ts';
import type { batchNames } from './batch-names.ts';
import { openRun } from './run/open-run.ts';

/** Composes batches from their parts. */
export function openBatches(
  context: CapabilityContext<unknown>,
): CapabilityParts<NameOf<typeof batchNames, 'jobs'>> {
  const run = openRun(context);
  return {
    services: run.services ?? [],
    jobs: run.jobs ?? [],
  };
}
