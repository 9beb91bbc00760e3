import { z } from 'zod';
import { setting, secretText, wholeNumber, onOff, modelReference } from '../kernel/setting.ts';
import { accountsSchema, providersSchema } from './provider-settings.ts';

/* The settings about models. */

/** Providers, prices, answers, and who stands in for a model. */
export const modelSettings = z
  .strictObject({
    providers: setting(providersSchema.default({}), {
      help: 'Providers by the name that stands before the slash in `provider/model` (docs/providers.md). Those whose account is in the environment exist without an entry.',
    }),
    accounts: accountsSchema,
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
      help: 'Recorded answers up to this size are stored in the ledger, larger ones in the payload store.',
    }),
    retryAfter: z
      .strictObject({
        maxMessageMs: setting(wholeNumber(1000, 604_800_000).default(3_600_000), {
          env: 'MILLRACE_RETRY_AFTER_MAX_MESSAGE_MS',
          help: "The longest that a message waits because a provider's `retry-after` asks for it; after that it is tried again, which counts as an attempt.",
        }),
        maxModelMs: setting(wholeNumber(1, 3_600_000).default(60_000), {
          env: 'MILLRACE_RETRY_AFTER_MAX_MODEL_MS',
          help: 'The longest that a model gets no other calls because the refusal of one asked for a wait; after that, calls are tried again.',
        }),
      })
      .prefault({}),
    fallbacks: setting(z.record(modelReference, modelReference).default({}), {
      help: 'Language models that are used instead of others while the circuit of those is not closed: `{ "openai/gpt-5-mini": "anthropic/claude-haiku-4-5" }`.',
    }),
  })
  .prefault({});
