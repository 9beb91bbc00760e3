import { z } from 'zod';
import { type Usd, formatUsd, usd } from '../../kernel/money.ts';
import { amountSchema, originDocument, originSchema } from '../../http/document-parts.ts';
import type { DeadLetter, DeadLetterCall, DeadLetterHistory, StageReplayPlan } from './dead-letter.ts';
import { messageStates } from '../../engine/ledger/message-state.ts';
import { toCloudEvent } from '../../messages/cloud-event.ts';
import { traceIdOf } from '../../telemetry/trace-context.ts';

/* Dead letters as API and command line show them. Amounts are exact decimal strings in US dollars. */

const entryShape = {
  id: z.string(),
  state: z.enum(messageStates).describe('dead_lettered; another one when it lives again after a replay'),
  stage: z.string(),
  pipeline: z.string(),
  owner: z.string().describe('The team that owns the stage.'),
  lane: z.string(),
  origin: originSchema,
  item: z.string(),
  type: z.string(),
  version: z.int().describe("Version of the data's schema."),
  traceId: z.string().optional(),
  errorCode: z.string().optional().describe('Why it was given up on.'),
  diedAt: z.iso.datetime().optional(),
  deliveries: z.int().describe('How often a worker took it.'),
  attempts: z.int().describe('Failed attempts since it was admitted or last replayed.'),
  totalAttempts: z.int().describe('Failed attempts in all.'),
  replays: z.int().describe('How often it was replayed.'),
  paidUsd: amountSchema.describe('What its calls cost so far, as far as it is settled.'),
  bodyBytes: z.int(),
  discarded: z.object({ at: z.iso.datetime(), by: z.string() }).optional(),
};

const entrySchema = z.object(entryShape);

export const deadLetterListSchema = z.object({
  deadLetters: z.array(entrySchema).describe('The newest comes first.'),
  next: z.string().optional().describe('Give it as "after" for the next page; absent on the last.'),
});

const failureSchema = z.object({
  life: z.int().describe('1 before the first replay, 2 after it, and so on.'),
  fencingToken: z.int().describe('The delivery that failed.'),
  at: z.iso.datetime(),
  code: z.string(),
  retryable: z.boolean(),
  detail: z.unknown().describe('The error and its causes, with their stacks.'),
});

const callSchema = z.object({
  id: z.string(),
  life: z.int(),
  fencingToken: z.int(),
  step: z.string(),
  ordinal: z.int(),
  attempt: z.int(),
  provider: z.string(),
  model: z.string(),
  answeredModel: z.string().optional(),
  fallbackFrom: z
    .string()
    .optional()
    .describe(
      'The model ("provider/model") that was meant; its circuit was not closed, and this one stood in.',
    ),
  cascadeVerdict: z
    .enum(['accepted', 'escalated'])
    .optional()
    .describe('Of an answer of a cascade: it was taken, or the next model was asked.'),
  tier: z.string(),
  state: z.enum(['reserved', 'settled', 'unsettled']),
  outcome: z.string().optional(),
  settlement: z.string().optional().describe('How the usage is known.'),
  errorType: z.string().optional(),
  reservedAt: z.iso.datetime(),
  durationMs: z.int().optional(),
  costUsd: amountSchema.optional().describe('Absent while it is not known.'),
  upperBoundUsd: amountSchema.optional(),
  priceReference: z.string().optional(),
  priceCatalogue: z.string().optional(),
  wasteReason: z.string().optional(),
  parameters: z
    .record(z.string(), z.unknown())
    .optional()
    .describe(
      'What the answer could depend on besides the prompt: seed, temperature, limits, names of tools.',
    ),
  isReusable: z
    .boolean()
    .describe('Whether a replay that asks the same gets this answer again, without a request.'),
});

const actionSchema = z.object({
  id: z.string(),
  at: z.iso.datetime(),
  actor: z.string(),
  action: z.string(),
  reason: z.string(),
  death: z.object({ at: z.iso.datetime(), errorCode: z.string(), fencingToken: z.int(), attempts: z.int() }),
});

export const deadLetterSchema = z.object({
  ...entryShape,
  event: z
    .record(z.string(), z.unknown())
    .describe('The message as a CloudEvent. Without data when that cannot be read or may not be seen.'),
  dataProblem: z
    .object({ code: z.string(), message: z.string() })
    .optional()
    .describe(
      'Why there is no data: it cannot be read from the payload store, or the API key lacks the scope `messages:data`.',
    ),
  failures: z
    .array(failureSchema)
    .describe('The newest 200 failed attempts and expired leases, oldest first.'),
  calls: z.array(callSchema).describe('The newest 200 calls, oldest first.'),
  actions: z.array(actionSchema).describe('What operators did to it, oldest first.'),
});

const planFiguresShape = {
  count: z.int(),
  reusableSteps: z.int().describe('Recorded answers that are given again when the same is asked.'),
  reusableUsd: amountSchema.describe('What these had cost.'),
  paidUsd: amountSchema.describe('What was paid in all so far.'),
  estimatedUsd: amountSchema
    .optional()
    .describe(
      'What it costs beside that: as successful messages of the stage do on average. Absent without any.',
    ),
  mostExpensiveUsd: amountSchema
    .optional()
    .describe('The same if each were as expensive as the most expensive of these messages. No upper bound.'),
};

const planSchema = z.object({
  dryRun: z.literal(true),
  ...planFiguresShape,
  hasMore: z.boolean().describe('Whether there may be more than "max".'),
  stages: z.array(
    z.object({
      stage: z.string(),
      owner: z.string(),
      ...planFiguresShape,
      sampleSize: z.int().describe('Successful messages that the estimate rests on.'),
    }),
  ),
});

const stageCounts = z.array(z.object({ stage: z.string(), owner: z.string(), count: z.int() }));

const operatedShape = {
  actionId: z
    .string()
    .optional()
    .describe('The id of the audit record; absent when there was nothing to do.'),
  count: z.int(),
  hasMore: z.boolean().describe('Whether there may be more than "max".'),
  stages: stageCounts,
};

const replayedSchema = z.object({
  dryRun: z.literal(false),
  ...operatedShape,
});

export const replayResultSchema = z.union([planSchema, replayedSchema]);

export const discardResultSchema = z.object(operatedShape);

export type DeadLetterEntry = z.output<typeof entrySchema>;
export type DeadLetterList = z.output<typeof deadLetterListSchema>;
export type DeadLetterDocument = z.output<typeof deadLetterSchema>;
export type ReplayPlan = z.output<typeof planSchema>;
export type ReplayResult = z.output<typeof replayResultSchema>;
export type Replayed = z.output<typeof replayedSchema>;
export type DiscardResult = z.output<typeof discardResultSchema>;

export function describeEntry(letter: DeadLetter): DeadLetterEntry {
  const { envelope, discarded, diedAt, errorCode } = letter;
  const { origin } = envelope;
  const traceId = traceIdOf(envelope.traceParent);
  return {
    id: envelope.id,
    state: letter.state,
    stage: envelope.stage,
    pipeline: envelope.pipeline,
    owner: envelope.owner,
    lane: envelope.lane,
    origin: originDocument(origin),
    item: envelope.item,
    type: envelope.type,
    version: envelope.version,
    ...(traceId === undefined ? {} : { traceId }),
    ...(errorCode === undefined ? {} : { errorCode }),
    ...(diedAt === undefined ? {} : { diedAt: diedAt.toISOString() }),
    deliveries: letter.deliveries,
    attempts: letter.attempts,
    totalAttempts: letter.totalAttempts,
    replays: letter.replays,
    paidUsd: formatUsd(letter.paidUsd),
    bodyBytes: letter.bodyBytes,
    ...(discarded === undefined ? {} : { discarded: { at: discarded.at.toISOString(), by: discarded.by } }),
  };
}

/** The data of a message, or why it cannot be read. */
export type ReadData =
  { readonly data: unknown } | { readonly problem: { readonly code: string; readonly message: string } };

export function describeDeadLetter(
  { letter, failures, calls, actions }: DeadLetterHistory,
  read: ReadData,
): DeadLetterDocument {
  const replays = actions.filter(({ action }) => action === 'dead_letters.replay');
  const lifeOf = (fencingToken: number): number =>
    1 + replays.filter((replay) => replay.fencing_token < fencingToken).length;
  const { data, ...event } = toCloudEvent({
    ...letter.envelope,
    data: 'data' in read ? read.data : undefined,
  });
  return {
    ...describeEntry(letter),
    event: 'data' in read ? { ...event, data } : event,
    ...('data' in read ? {} : { dataProblem: { ...read.problem } }),
    failures: failures.map(({ fencing_token: fencingToken, at, code, retryable, detail }) => ({
      life: lifeOf(fencingToken),
      fencingToken,
      at: at.toISOString(),
      code,
      retryable,
      detail: JSON.parse(detail) as unknown,
    })),
    calls: calls.map((call) => describeCall(call, lifeOf(call.fencing_token))),
    actions: actions.map(({ id, at, actor, action, reason, ...death }) => ({
      id,
      at: at.toISOString(),
      actor,
      action,
      reason,
      death: {
        at: death.died_at.toISOString(),
        errorCode: death.error_code,
        fencingToken: death.fencing_token,
        attempts: death.attempts,
      },
    })),
  };
}

function describeCall(call: DeadLetterCall, life: number): DeadLetterDocument['calls'][number] {
  return {
    id: call.id,
    life,
    fencingToken: call.fencing_token,
    step: call.step,
    ordinal: call.ordinal,
    attempt: call.attempt,
    provider: call.provider,
    model: call.model,
    ...optional('answeredModel', call.answered_model),
    ...optional('fallbackFrom', call.fallback_from),
    ...optional('cascadeVerdict', call.cascade_verdict),
    tier: call.tier,
    state: call.state,
    ...optional('outcome', call.outcome),
    ...optional('settlement', call.settlement),
    ...optional('errorType', call.error_type),
    reservedAt: call.reserved_at.toISOString(),
    ...optional('durationMs', call.duration_ms),
    ...optional('costUsd', plain(call.cost_usd)),
    ...optional('upperBoundUsd', plain(call.upper_bound_usd)),
    ...optional('priceReference', call.price_reference),
    ...optional('priceCatalogue', call.price_catalogue),
    ...optional('wasteReason', call.waste_reason),
    ...optional('parameters', parsed(call.parameters)),
    isReusable: call.is_reusable,
  };
}

/** The sums over all stages; an estimate that one stage has not is none for all. */
export function describePlan(stages: readonly StageReplayPlan[], max: number): ReplayPlan {
  const count = stages.reduce((sum, stage) => sum + stage.count, 0);
  const total = (amountOf: (stage: StageReplayPlan) => Usd | undefined): Usd | undefined =>
    stages.reduce<Usd | undefined>((sum, stage) => {
      const one = amountOf(stage);
      return sum === undefined || one === undefined ? undefined : sum.plus(one);
    }, usd('0'));
  return {
    dryRun: true,
    ...figuresOf({
      count,
      reusableSteps: stages.reduce((sum, stage) => sum + stage.reusableSteps, 0),
      reusableUsd: total((stage) => stage.reusableUsd) ?? usd('0'),
      paidUsd: total((stage) => stage.paidUsd) ?? usd('0'),
      estimatedUsd: total((stage) => stage.estimatedUsd),
      mostExpensiveUsd: total((stage) => stage.mostExpensiveUsd),
    }),
    hasMore: count === max,
    stages: stages.map((stage) => ({
      stage: stage.stage,
      owner: stage.owner,
      ...figuresOf(stage),
      sampleSize: stage.sampleSize,
    })),
  };
}

type Figures = Omit<StageReplayPlan, 'stage' | 'owner' | 'sampleSize'>;

function figuresOf({ count, reusableSteps, reusableUsd, paidUsd, estimatedUsd, mostExpensiveUsd }: Figures) {
  return {
    count,
    reusableSteps,
    reusableUsd: formatUsd(reusableUsd),
    paidUsd: formatUsd(paidUsd),
    ...(estimatedUsd === undefined ? {} : { estimatedUsd: formatUsd(estimatedUsd) }),
    ...(mostExpensiveUsd === undefined ? {} : { mostExpensiveUsd: formatUsd(mostExpensiveUsd) }),
  };
}

function optional<Name extends string, Value>(
  name: Name,
  value: Value | null,
): { readonly [Key in Name]?: Value } {
  return (value === null ? {} : { [name]: value }) as { readonly [Key in Name]?: Value };
}

function parsed(json: string | null): Record<string, unknown> | null {
  return json === null ? null : (JSON.parse(json) as Record<string, unknown>);
}

function plain(text: string | null): string | null {
  return text === null ? null : formatUsd(usd(text));
}
