import type { CapabilityContext, CapabilityParts } from '../capability.ts';
import type { NameOf } from '../capability.ts';
import type { batchNames } from './batch-names.ts';
import { type BatchIntakeSettings, openIntake } from './intake/open-intake.ts';
import { type ModeSettings, openMode } from './mode/open-mode.ts';
import { type BatchRunSettings, openRun } from './run/open-run.ts';

/** Composes batches from their parts. */
export function openBatches(
  context: CapabilityContext<BatchIntakeSettings & BatchRunSettings & ModeSettings>,
): CapabilityParts<NameOf<typeof batchNames, 'jobs'>> {
  const run = openRun(context);
  const mode = openMode(context);
  return {
    hooks: { ...mode.hooks },
    services: [openIntake(context), run, mode].flatMap(({ services = [] }) => services),
    jobs: [...(run.jobs ?? []), ...(mode.jobs ?? [])],
  };
}
