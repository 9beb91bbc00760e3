import type { CapabilityContext, CapabilityParts, NameOf } from '../../capability.ts';
import type { batchNames } from '../batch-names.ts';
import { invariant } from '../../../kernel/invariant.ts';
import { BatchModes } from '../mode/batch-modes.ts';
import { SharedAnswerReleases } from './shared-answer-releases.ts';
import { SharedAnswers } from './shared-answers.ts';

/** What sharing reads of the configuration. */
export interface SharingSettings {
  readonly models: { readonly keepAnswers: boolean };
}

const releaseMs = 500;

/**
 * Composes how identical requests of batches are answered once. Where answers are not kept, there is nothing to share. `mode`: the parts that
 * know how batches are run.
 */
export function openSharing(
  { database, clock, engine: { publisher }, settings }: CapabilityContext<SharingSettings>,
  mode: Pick<CapabilityParts, 'services'>,
): CapabilityParts<NameOf<typeof batchNames, 'jobs'>> {
  const releases = new SharedAnswerReleases(database, publisher);
  const modes = mode.services?.map(([, service]) => service).find((service) => service instanceof BatchModes);
  invariant(modes !== undefined, 'the modes of batches are opened first');
  return {
    hooks: settings.models.keepAnswers ? { sharing: new SharedAnswers({ database, modes, clock }) } : {},
    jobs: [
      {
        name: 'shared_answers',
        intervalMs: releaseMs,
        runsIn: 'maintenance',
        turn: () => releases.turn(),
      },
    ],
  };
}
