import { z } from 'zod';
import { originName } from '../messages/origin.ts';
import {
  decimalNumber,
  setting,
  secretText,
  wholeNumber,
  urlOf,
  onOff,
  modelReference,
} from '../kernel/setting.ts';

/* The settings about models, and about the money that they may cost. */

const providerSchema = z.strictObject({
  kind: z.enum(['openai', 'anthropic', 'openai-compatible']),
  baseUrl: urlOf('http:', 'https:').optional(),
  apiKey: secretText.min(1).optional(),
  /** Which of OpenAI's endpoints chat models use. */
  api: z.enum(['responses', 'chat']).optional(),
  /** The catalogue provider whose prices apply, when it is not the provider's own name. */
  priceProvider: z.string().min(1).optional(),
  headers: z.record(z.string(), z.string()).optional(),
  timeoutMs: wholeNumber(100, 3_600_000).optional(),
  /** How large an answer may be, decompressed. */
  maxAnswerBytes: wholeNumber(1024, 2_147_483_647).optional(),
  /** How long an answer that has begun may be silent. */
  idleTimeoutMs: wholeNumber(100, 3_600_000).optional(),
  /** Sends the call's and message's ids as request headers: for a provider of one's own, such as the simulator. */
  identify: z.boolean().optional(),
});

const limitProblem = 'must be an amount above 0 as text, such as "50.00"';

/** One budget of money. */
export const budgetSchema = z.strictObject({
  name: z
    .string()
    .regex(
      /^[a-z0-9][a-z0-9._-]{0,62}$/,
      'must be 1 to 63 lower-case letters, digits, dots, dashes, underscores',
    ),
  team: originName.optional(),
  customer: originName.optional(),
  feature: originName.optional(),
  window: z.enum(['hour', 'day', 'week', 'month']),
  limitUsd: z.string(limitProblem).regex(/^(?=.*[1-9])\d{1,15}(\.\d{1,18})?$/, limitProblem),
  atLimit: z.enum(['park', 'refuse']).default('park'),
  unpriced: z.enum(['refuse', 'allow']).default('refuse'),
});
const modelLimitSchema = z
  .strictObject({
    requestsPerMinute: wholeNumber(1, 1_000_000_000).optional(),
    tokensPerMinute: wholeNumber(1, 1_000_000_000_000).optional(),
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

/** Providers, prices, limits and what happens when a model is not well. */
export const modelSettings = z
  .strictObject({
    providers: setting(z.record(z.string().regex(/^[a-z][a-z0-9-]*$/), providerSchema).default({}), {
      help: 'Providers by the name that stands before the slash in `provider/model`. `openai` and `anthropic` exist when their API keys are set.',
    }),
    limits: setting(z.record(z.string().regex(/^[a-z][a-z0-9-]*\/.+$/), modelLimitSchema).default({}), {
      help: 'What all processes together may ask of a model each minute, by `provider/model`, or `provider/*` for each other model of the provider: `requestsPerMinute`, `tokensPerMinute`.',
    }),
    openaiApiKey: setting(secretText.min(1).optional(), {
      env: 'OPENAI_API_KEY',
      help: "Makes the provider `openai` with OpenAI's endpoint.",
      secret: true,
    }),
    anthropicApiKey: setting(secretText.min(1).optional(), {
      env: 'ANTHROPIC_API_KEY',
      help: "Makes the provider `anthropic` with Anthropic's endpoint.",
      secret: true,
    }),
    priceOverlay: setting(z.string().min(1).optional(), {
      env: 'MILLRACE_PRICE_OVERLAY',
      help: 'Path of a price overlay file (docs/prices.md).',
    }),
    keepAnswers: setting(onOff.default(true), {
      env: 'MILLRACE_MODEL_KEEP_ANSWERS',
      help: 'Whether the answers of models are recorded. Without them a message that runs again after a crash, a retry or a replay asks and pays again for every step.',
    }),
    inlineAnswerBytes: setting(wholeNumber(0, 8_388_608).default(262_144), {
      env: 'MILLRACE_ANSWER_INLINE_BYTES',
      help: 'Recorded answers up to this size lie in the ledger, larger ones in the payload store.',
    }),
    breaker: z
      .strictObject({
        enabled: setting(onOff.default(true), {
          env: 'MILLRACE_BREAKER',
          help: 'Whether a model that fails is left alone for a while (docs/runbooks/provider.md#circuit).',
        }),
        errorShare: setting(decimalNumber(0.0001, 1).default(0.5), {
          env: 'MILLRACE_BREAKER_ERROR_SHARE',
          help: "The share of failures and time-outs at which a model's circuit opens.",
        }),
        minRequests: setting(wholeNumber(1, 1_000_000).default(20), {
          env: 'MILLRACE_BREAKER_MIN_REQUESTS',
          help: 'Requests of all processes in the window before that share is judged.',
        }),
        windowMs: countingWindow('failures', 30_000, 'MILLRACE_BREAKER_WINDOW_MS'),
        openMs: setting(wholeNumber(100, 3_600_000).default(15_000), {
          env: 'MILLRACE_BREAKER_OPEN_MS',
          help: 'How long a circuit stays open before probes are sent. Doubles with every failed probe.',
        }),
        maxOpenMs: setting(wholeNumber(100, 86_400_000).default(300_000), {
          env: 'MILLRACE_BREAKER_MAX_OPEN_MS',
          help: 'The longest that a circuit stays open between two tries.',
        }),
        probes: setting(wholeNumber(1, 100).default(3), {
          env: 'MILLRACE_BREAKER_PROBES',
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
    retryAfter: z
      .strictObject({
        maxMessageMs: setting(wholeNumber(1000, 604_800_000).default(3_600_000), {
          env: 'MILLRACE_RETRY_AFTER_MAX_MESSAGE_MS',
          help: "The longest that a message waits because a provider's `retry-after` asks for it; after that it is tried again, which counts as an attempt.",
        }),
        maxModelMs: setting(wholeNumber(1, 3_600_000).default(60_000), {
          env: 'MILLRACE_RETRY_AFTER_MAX_MODEL_MS',
          help: 'The longest that a model takes no other calls because the refusal of one asked for a wait: after that others try.',
        }),
      })
      .prefault({}),
    fallbacks: setting(z.record(modelReference, modelReference).default({}), {
      help: 'Language models that are asked in the place of others while the circuit of those is not closed: `{ "openai/gpt-5-mini": "anthropic/claude-haiku-4-5" }`.',
    }),
  })
  .prefault({});
