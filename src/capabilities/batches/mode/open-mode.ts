import type { CapabilityContext, CapabilityParts, NameOf } from '../../capability.ts';
import type { batchNames } from '../batch-names.ts';
import { ProviderBatchLedger } from '../provider/provider-batch-ledger.ts';
import { BatchModes } from './batch-modes.ts';
import { DeferredCalls } from './deferred-calls.ts';
import { type OpenProviderBatchApi, ProviderAccounts } from './provider-accounts.ts';
import { ProviderBatchOperations } from './provider-batch-operations.ts';
import { ProviderMode } from './provider-mode.ts';
import { ProviderModeJob } from './provider-mode-job.ts';
import type { ProviderModeSettings } from './provider-mode-settings.ts';

/** What the modes read of the configuration. */
export interface ModeSettings {
  readonly batches: { readonly provider: ProviderModeSettings };
  readonly models: { readonly keepAnswers: boolean };
}

const turnMs = 5000;
const forgetMs = 60_000;
/** Provider batches that are forgotten in one statement; each has up to some ten thousand requests. */
const forgottenAtOnce = 2;

/** Composes the modes in which batches make their calls. `openApi`: another way to the providers' batches. */
export function openMode(
  context: CapabilityContext<ModeSettings>,
  openApi?: OpenProviderBatchApi,
): CapabilityParts<NameOf<typeof batchNames, 'jobs'>> {
  const { database, clock, logger, engine } = context;
  const { provider: settings } = context.settings.batches;
  const { keepAnswers: keepsAnswers } = context.settings.models;
  const { models, publisher, providers, pricer } = engine;
  const modes = new BatchModes({ database, clock });
  const calls = new DeferredCalls({ database, clock });
  const job = new ProviderModeJob(
    { calls, models, publisher, settings, clock, logger },
    (settling) =>
      new ProviderAccounts({
        providers,
        settings,
        database,
        settle: (transaction, _batch, outcomes) => settling.settle(transaction, outcomes),
        logger,
        ...(openApi === undefined ? {} : { openApi }),
      }),
  );
  const { accounts } = job;
  // It needs no lease: what it forgets nobody works on.
  const ledger = new ProviderBatchLedger(database, 0);
  return {
    services: [
      [BatchModes, modes],
      [ProviderBatchOperations, new ProviderBatchOperations({ database, clock })],
    ],
    hooks: {
      deferral: new ProviderMode({
        modes,
        calls,
        accounts,
        providers,
        pricer,
        settings,
        keepsAnswers,
        clock,
      }),
    },
    jobs: [
      {
        name: 'provider_batches',
        intervalMs: turnMs,
        runsIn: 'maintenance',
        turn: (signal) => job.turn(signal),
      },
      {
        name: 'forget_provider_batches',
        intervalMs: forgetMs,
        runsIn: 'maintenance',
        turn: async () => {
          const before = new Date(clock.now().getTime() - settings.keepMs);
          return (await ledger.forget(before, forgottenAtOnce)) === forgottenAtOnce;
        },
      },
    ],
  };
}
