import type { CapabilityContext, CapabilityParts } from '../capability.ts';
import type { NameOf } from '../capability.ts';
import type { batchNames } from './batch-names.ts';
import { type ModeSettings, openMode } from './mode/open-mode.ts';
import { openRun } from './run/open-run.ts';

/** Composes batches from their parts. */
export function openBatches(
  context: CapabilityContext<ModeSettings>,
): CapabilityParts<NameOf<typeof batchNames, 'jobs'>> {
  const run = openRun(context);
  const mode = openMode(context);
  return {
    hooks: { ...run.hooks, ...mode.hooks },
    services: [...(run.services ?? []), ...(mode.services ?? [])],
    jobs: [...(run.jobs ?? []), ...(mode.jobs ?? [])],
  };
}
