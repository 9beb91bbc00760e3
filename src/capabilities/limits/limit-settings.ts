import { z } from 'zod';
import { limitedNamePattern, requestsPerMinute, tokensPerMinute } from './limit-requests.ts';
import { decimalNumber, onOff, setting, wholeNumber } from '../../kernel/setting.ts';

const modelLimitSchema = z
  .strictObject({
    requestsPerMinute: requestsPerMinute.optional(),
    tokensPerMinute: tokensPerMinute.optional(),
  })
  .refine(
    (limit) => limit.requestsPerMinute !== undefined || limit.tokensPerMinute !== undefined,
    'names requestsPerMinute, tokensPerMinute or both',
  );

/** Requests are counted in the ledger, in rows of ten seconds. */
const countingWindow = (what: string, defaultMs: number, env: string) =>
  setting(wholeNumber(10_000, 3_600_000).default(defaultMs), {
    env,
    help: `The window that ${what} are counted in, in steps of ten seconds.`,
  });

/** The section `limits` of the configuration: rates of models, their circuits and retries. */
export const limitSettings = z
  .strictObject({
    models: setting(z.record(z.string().regex(limitedNamePattern), modelLimitSchema).default({}), {
      help: 'What all processes together may ask of a model each minute, by `provider/model`, or `provider/*` for each other model of the provider: `requestsPerMinute`, `tokensPerMinute`. Changed while it runs by `millrace limits set`.',
    }),
    circuit: z
      .strictObject({
        enabled: setting(onOff.default(true), {
          env: 'MILLRACE_CIRCUIT',
          help: 'Whether a model that fails gets no requests for a while (docs/runbooks/provider.md#circuit).',
        }),
        errorShare: setting(decimalNumber(0.0001, 1).default(0.5), {
          env: 'MILLRACE_CIRCUIT_ERROR_SHARE',
          help: "The share of failures and time-outs at which a model's circuit opens.",
        }),
        minRequests: setting(wholeNumber(1, 1_000_000).default(20), {
          env: 'MILLRACE_CIRCUIT_MIN_REQUESTS',
          help: 'Requests of all processes in the window before that share is judged.',
        }),
        windowMs: countingWindow('failures', 30_000, 'MILLRACE_CIRCUIT_WINDOW_MS'),
        openMs: setting(wholeNumber(100, 3_600_000).default(15_000), {
          env: 'MILLRACE_CIRCUIT_OPEN_MS',
          help: 'How long a circuit stays open before probes are sent. Doubles with every failed probe.',
        }),
        maxOpenMs: setting(wholeNumber(100, 86_400_000).default(300_000), {
          env: 'MILLRACE_CIRCUIT_MAX_OPEN_MS',
          help: 'The longest that a circuit stays open between two tries.',
        }),
        probes: setting(wholeNumber(1, 100).default(3), {
          env: 'MILLRACE_CIRCUIT_PROBES',
          help: 'How many probes must succeed to close a circuit; no more are sent at once.',
        }),
      })
      .prefault({}),
    retryBudget: z
      .strictObject({
        enabled: setting(onOff.default(true), {
          env: 'MILLRACE_RETRY_BUDGET',
          help: 'Whether the retries of a model are limited (docs/runbooks/provider.md#retries).',
        }),
        share: setting(decimalNumber(0, 10).default(0.2), {
          env: 'MILLRACE_RETRY_BUDGET_SHARE',
          help: 'Retries that are permitted for each first attempt in the window, over all processes.',
        }),
        floor: setting(wholeNumber(1, 1_000_000).default(30), {
          env: 'MILLRACE_RETRY_BUDGET_FLOOR',
          help: 'Retries of a model in the window that are permitted besides.',
        }),
        windowMs: countingWindow('attempts', 60_000, 'MILLRACE_RETRY_BUDGET_WINDOW_MS'),
      })
      .prefault({}),
  })
  .prefault({});

export type LimitSettings = z.output<typeof limitSettings>;
