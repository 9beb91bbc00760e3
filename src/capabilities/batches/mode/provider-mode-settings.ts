import { z } from 'zod';
import { setting, wholeNumber } from '../../../kernel/setting.ts';

const accountLimits = z.strictObject({
  maxRequests: wholeNumber(1, 100_000).optional(),
  maxBytes: wholeNumber(1024, 256 * 1024 * 1024).optional(),
  enqueuedTokens: z.record(z.string(), wholeNumber(1, Number.MAX_SAFE_INTEGER)).default({}),
});

/** The settings of calls in providers' batches, `batches.provider`. */
export const providerModeSettings = z
  .strictObject({
    gatherMs: setting(wholeNumber(0, 3_600_000).default(60_000), {
      env: 'MILLRACE_BATCHES_PROVIDER_GATHER_MS',
      help: "How long the first call of a provider's batch waits for others before the batch is sent.",
    }),
    maxRequests: setting(wholeNumber(1, 50_000).default(10_000), {
      env: 'MILLRACE_BATCHES_PROVIDER_MAX_REQUESTS',
      help: "The most calls that are put into a provider's batch at a time; they are held in memory while they are.",
    }),
    maxBytes: setting(wholeNumber(1024, 134_217_728).default(33_554_432), {
      env: 'MILLRACE_BATCHES_PROVIDER_MAX_BYTES',
      help: 'The most bytes of requests that are held in memory for that. One that is larger goes alone.',
    }),
    rounds: setting(wholeNumber(1, 20).default(3), {
      env: 'MILLRACE_BATCHES_PROVIDER_ROUNDS',
      help: "How often a call goes into a provider's batch before it is made at once, at the full price.",
    }),
    windowMs: setting(wholeNumber(60_000, 604_800_000).default(86_400_000), {
      env: 'MILLRACE_BATCHES_PROVIDER_WINDOW_MS',
      help: "How long a provider may take for a batch. The mode `auto` uses providers' batches when the deadline leaves that long and `onlineMs` more.",
    }),
    onlineMs: setting(wholeNumber(0, 604_800_000).default(3_600_000), {
      env: 'MILLRACE_BATCHES_PROVIDER_ONLINE_MS',
      help: "How long before a batch's deadline its calls leave providers' batches and are made at once, at the full price.",
    }),
    pollMs: setting(wholeNumber(1000, 3_600_000).default(60_000), {
      env: 'MILLRACE_BATCHES_PROVIDER_POLL_MS',
      help: "The pause between two looks at a provider's batch; one that runs long is looked at less often.",
    }),
    keepMs: setting(wholeNumber(0, 2_592_000_000).default(86_400_000), {
      env: 'MILLRACE_BATCHES_PROVIDER_KEEP_MS',
      help: "How long the requests and answers of a provider's batch stay in the ledger after all of it was settled.",
    }),
    accounts: setting(z.record(z.string(), accountLimits).default({}), {
      help: "What one batch of a provider may hold, by the provider's name: `maxRequests`, `maxBytes`, and `enqueuedTokens`, the tokens that its open batches may hold at once, by model or `*` for each other model.",
    }),
  })
  .prefault({});

export type ProviderModeSettings = z.output<typeof providerModeSettings>;
