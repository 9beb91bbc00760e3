import { z } from 'zod';
import { AppError } from '../kernel/app-error.ts';
import {
  batchConfigSchema,
  type BatchRule,
  type BatchRuleInput,
  batchRulesSchema,
} from './batches/batch-config.ts';
import { trickNames } from './trick-names.ts';

/** Every fault that a rule can ask for. docs and tests read this list. */
export const faultNames = [
  'rate_limit',
  'server_error',
  'overloaded',
  'auth',
  'content_policy',
  'context_too_long',
  'hang',
  'hang_billed',
  // A gateway before the provider gives up while the work is done.
  'gateway_timeout',
  'cut_stream',
  'malformed',
  'empty',
  'missing_usage',
  // Usage that is not true, beside a true bill: beyond what was asked, of nothing, as text, with a fraction, below zero,
  // and (in streams) falling.
  'usage_absurd',
  'usage_zero',
  'usage_text',
  'usage_fraction',
  'usage_negative',
  'usage_decreasing',
  'nul_text',
  'bad_json',
  'slow',
] as const;

export type FaultName = (typeof faultNames)[number];

const faultRuleSchema = z.strictObject({
  /** What it applies to; every condition given must hold. Without any it applies to every request. */
  match: z
    .strictObject({
      model: z.string().optional(),
      provider: z.enum(['openai', 'anthropic']).optional(),
      endpoint: z.enum(['chat.completions', 'responses', 'embeddings', 'messages']).optional(),
      /** A text that must stand somewhere in the prompt. */
      contains: z.string().min(1).optional(),
      /** A request header that must be there, with that value if one is given. */
      header: z.strictObject({ name: z.string().toLowerCase(), value: z.string().optional() }).optional(),
    })
    .default({}),
  probability: z.number().min(0).max(1).default(1),
  fault: z.enum(faultNames),
  /** How often it may strike in all. */
  times: z.int().min(0).optional(),
  /** For `rate_limit`: what the answer tells the client to wait. */
  retryAfterMs: z.int().min(0).default(1000),
  /** For `slow`: what is added to the latency. */
  delayMs: z.int().min(0).default(5000),
});

/** One rule: the first in order that matches a request and whose draw hits decides its fault. */
export type FaultRule = z.output<typeof faultRuleSchema>;

/** A rule as it is given: what has a default may be left out. */
export type FaultRuleInput = z.input<typeof faultRuleSchema>;

export const faultRulesSchema = z.array(faultRuleSchema).max(1000);

const limitSchema = z.strictObject({
  requestsPerMinute: z.int().min(1).optional(),
  tokensPerMinute: z.int().min(1).optional(),
});

export type SimulatedRateLimit = z.output<typeof limitSchema>;

const simulatorConfigSchema = z.strictObject({
  /** Always on loopback; 0 takes a free port. */
  port: z.int().min(0).max(65_535).default(0),
  seed: z.int().default(1),
  /** Where the bill is kept (bill.jsonl). Without it the bill is in memory and ends with the process. */
  dataDirectory: z.string().min(1).optional(),
  latency: z
    .strictObject({
      /** Of a whole answer; 0 answers at once. */
      medianMs: z.number().min(0).default(25),
      p99Ms: z.number().min(0).default(80),
      /** How much of the time passes before a stream's first token. */
      firstTokenShare: z.number().min(0).max(1).default(0.4),
      /** The pace of a stream after its first token; 0 spreads it over the rest of the drawn time. */
      tokensPerSecond: z.number().min(0).default(0),
    })
    .prefault({}),
  /** The length of a free text answer. */
  answer: z
    .strictObject({ minTokens: z.int().min(1).default(24), maxTokens: z.int().min(1).default(140) })
    .prefault({}),
  /**
   * What a stream costs that its client breaks off: the whole answer, as where a provider goes on generating, or what was
   * produced by the time that the connection closed.
   */
  cutStreams: z.enum(['whole', 'produced']).default('whole'),
  /** Whether another attempt at the same question is answered in other words, as a model does. */
  answersByAttempt: z.boolean().default(true),
  /** The chance that a tool is called when the client leaves the choice to the model. */
  toolCallProbability: z.number().min(0).max(1).default(0.75),
  charactersPerToken: z.number().min(1).max(16).default(4),
  rules: faultRulesSchema.default([]),
  /** A hostile provider: it plays tricks on some requests, by the seed. Without it there are none. */
  hostile: z
    .strictObject({
      /** The share of the requests to language models that meet a trick. */
      share: z.number().min(0).max(1).default(0.5),
      tricks: z
        .array(z.enum(trickNames))
        .min(1)
        .default([...trickNames]),
      /** Where a flood ends if the client does not leave before. */
      floodBytes: z
        .int()
        .min(1)
        .default(256 * 1024 * 1024),
    })
    .optional(),
  /** Enforced limits by model id as asked; "*" holds for every model without one of its own. */
  limits: z.record(z.string(), limitSchema).default({}),
  /** How batches run and end. */
  batches: batchConfigSchema,
  /** The keys that are accepted; without a list any key that is not empty is. */
  apiKeys: z.array(z.string().min(1)).optional(),
  maxRequestBytes: z
    .int()
    .min(1)
    .default(32 * 1024 * 1024),
  /** How many bill entries are kept readable when there is no data directory. Totals are always whole. */
  maxEntriesInMemory: z.int().min(1).default(200_000),
});

export type SimulatorConfig = z.output<typeof simulatorConfigSchema>;

/** What a caller may leave out. */
export type SimulatorConfigInput = z.input<typeof simulatorConfigSchema>;

/** Fills the defaults in. Fails with every fault at once. */
export function parseSimulatorConfig(input: unknown): SimulatorConfig {
  return parsedOr(simulatorConfigSchema, input, 'The simulator cannot start with this configuration.');
}

/** Fills the defaults of rules in. Fails with every fault at once. */
export function parseFaultRules(input: readonly FaultRuleInput[]): FaultRule[] {
  return parsedOr(faultRulesSchema, input, 'The fault rules are not valid.');
}

function parsedOr<T extends z.ZodType>(schema: T, input: unknown, message: string): z.output<T> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new AppError('MILLRACE_CONFIG_INVALID', message, {
    faults: faultsOf(parsed.error),
    cause: parsed.error,
  });
}

/** Fills the defaults of rules about batches in. Fails with every fault at once. */
export function parseBatchRules(input: readonly BatchRuleInput[]): BatchRule[] {
  return parsedOr(batchRulesSchema, input, 'The rules about batches are not valid.');
}

/** A schema error as a list of fields and problems. */
export function faultsOf(error: z.ZodError): { field: string; problem: string }[] {
  return error.issues.map((issue) => ({ field: issue.path.join('.'), problem: issue.message }));
}
