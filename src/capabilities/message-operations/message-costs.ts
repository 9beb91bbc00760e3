import { z } from 'zod';
import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import { named } from '../../drivers/sql-database/sql-statement.ts';
import { isUuid, type Uuid } from '../../kernel/ids.ts';
import { formatUsd, usd } from '../../kernel/money.ts';
import { findMessage, listFailures } from '../../engine/ledger/message-sql.ts';
import { messageStates, type MessageState } from '../../engine/ledger/message-state.ts';
import { envelopeOf, type MessageRow } from '../../engine/ledger/stored-message.ts';
import type { CallerView } from '../../http/api-key-identity.ts';
import { amountSchema, originDocument, originSchema } from '../../http/document-parts.ts';

/*
 * One message with its calls and what they cost, from the ledger: true at once, before any export. For a root, also
 * what everything that followed from it cost so far.
 */

const costSchema = z.object({
  calls: z.int(),
  costUsd: amountSchema.describe('Settled and estimated spend, an exact decimal string.'),
  unpricedCalls: z.int(),
  unsettledCalls: z.int().describe('Calls under way, or of unknown outcome.'),
  openUpperBoundUsd: amountSchema.describe(
    'What the calls that are not settled, or only estimated, can have cost at most.',
  ),
});

const tokensSchema = z.record(z.string(), z.int());
const parametersSchema = z.record(z.string(), z.unknown());

const callSchema = z.object({
  id: z.string(),
  step: z.string(),
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
  state: z.string().describe('reserved, settled or unsettled'),
  outcome: z.string().optional(),
  settlement: z.string().optional().describe('How the usage is known.'),
  isSuspect: z
    .boolean()
    .optional()
    .describe('The provider reported more tokens than the request can have caused: they were counted.'),
  errorType: z.string().optional(),
  reservedAt: z.iso.datetime(),
  durationMs: z.int().optional(),
  tokens: tokensSchema
    .optional()
    .describe('Counts by class of token, which do not overlap; absent while they are not known.'),
  costUsd: amountSchema.optional().describe('Absent while it is not known.'),
  upperBoundUsd: amountSchema.optional(),
  wasteReason: z.string().optional(),
  parameters: parametersSchema
    .optional()
    .describe(
      'What the answer could depend on besides the prompt: seed, temperature, limits, names of tools.',
    ),
});

export const messageCostSchema = z.object({
  id: z.string(),
  rootId: z.string(),
  parentId: z.string().optional(),
  source: z.string(),
  eventId: z.string(),
  type: z.string(),
  version: z.int(),
  pipeline: z.string(),
  stage: z.string(),
  lane: z.string(),
  origin: originSchema,
  item: z.string(),
  traceParent: z.string(),
  state: z.enum(messageStates),
  deliveries: z.int().describe('How often a worker took it.'),
  attempts: z.int().describe('Attempts that failed and counted, since it was admitted or last replayed.'),
  invalidOutputAttempts: z.int().describe('Those among them that failed by an invalid output.'),
  createdAt: z.iso.datetime(),
  admittedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime().optional(),
  errorCode: z.string().optional(),
  failures: z.array(z.object({ at: z.iso.datetime(), code: z.string(), retryable: z.boolean() })),
  cost: costSchema.describe('Of this message alone.'),
  calls: z.array(callSchema).describe('The newest 200 calls of this message.'),
  tree: z
    .object({ messages: z.partialRecord(z.enum(messageStates), z.int()), cost: costSchema })
    .optional()
    .describe('Of a root: it and everything that followed from it, so far.'),
});

export type MessageCost = z.output<typeof messageCostSchema>;
type CostFigures = z.output<typeof costSchema>;

const costColumns = `count(c.id)::int as calls,
  coalesce(sum(c.cost_usd) filter (where c.state = 'settled'), 0)::text as cost_usd,
  count(*) filter (where c.state = 'settled' and c.cost_usd is null)::int as unpriced_calls,
  count(*) filter (where c.state in ('reserved', 'unsettled'))::int as unsettled_calls,
  coalesce(sum(c.upper_bound_usd), 0)::text as open_upper_usd`;

const sumMessageCalls = named(
  'costs.sum_message_calls',
  `select ${costColumns} from millrace.calls c where c.message_id = $1::uuid`,
);

const listMessageCalls = named(
  'costs.list_message_calls',
  `select id, step, attempt, provider, model, answered_model, fallback_from, cascade_verdict, state, outcome, settlement, is_suspect, error_type, reserved_at,
     duration_ms, tokens, cost_usd, upper_bound_usd, waste_reason, parameters
   from millrace.calls where message_id = $1::uuid order by reserved_at desc, id desc limit 200`,
);

const sumTree = named(
  'costs.sum_message_tree',
  `with tree as (
     select id, state from millrace.messages where id = $1::uuid
     union all
     select id, state from millrace.messages where root_id = $1::uuid and parent_id is not null)
   select ${costColumns}, (select json_object_agg(state, n) from
     (select state, count(*)::int as n from tree group by state) as states) as states
   from tree t join millrace.calls c on c.message_id = t.id`,
);

interface FoundRow extends MessageRow {
  readonly state: MessageState;
  readonly error_code: string | null;
  readonly finished_at: Date | null;
}

interface CostRow {
  readonly calls: number;
  readonly cost_usd: string;
  readonly unpriced_calls: number;
  readonly unsettled_calls: number;
  readonly open_upper_usd: string;
}

interface CallRow {
  readonly id: Uuid;
  readonly step: string;
  readonly attempt: number;
  readonly provider: string;
  readonly model: string;
  readonly answered_model: string | null;
  readonly fallback_from: string | null;
  readonly cascade_verdict: 'accepted' | 'escalated' | null;
  readonly state: string;
  readonly outcome: string | null;
  readonly settlement: string | null;
  readonly is_suspect: boolean;
  readonly error_type: string | null;
  readonly reserved_at: Date;
  readonly duration_ms: number | null;
  readonly tokens: string | null;
  readonly cost_usd: string | null;
  readonly upper_bound_usd: string | null;
  readonly waste_reason: string | null;
  readonly parameters: string | null;
}

interface FailureRow {
  readonly at: Date;
  readonly code: string;
  readonly retryable: boolean;
}

export class MessageCosts {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** The message; undefined when there is none, or when it belongs to a team that the viewer may not see. */
  async find(id: string, viewer: CallerView): Promise<MessageCost | undefined> {
    if (!isUuid(id)) return undefined;
    const { rows } = await this.#database.query<FoundRow>(findMessage, [id]);
    const [row] = rows;
    if (row === undefined || (viewer.team !== undefined && row.team !== viewer.team)) return undefined;
    const [failures, calls, cost, tree] = await Promise.all([
      this.#database.query<FailureRow>(listFailures, [id]),
      this.#database.query<CallRow>(listMessageCalls, [id]),
      this.#database.query<CostRow>(sumMessageCalls, [id]),
      row.parent_id === null ? this.#tree(id) : undefined,
    ]);
    return {
      ...describeMessage(row),
      failures: failures.rows.map(({ at, code, retryable }) => ({ at: at.toISOString(), code, retryable })),
      cost: costOf(cost.rows[0]),
      calls: calls.rows.map((call) => describeCall(call)),
      ...(tree === undefined ? {} : { tree }),
    };
  }

  async #tree(id: Uuid): Promise<MessageCost['tree']> {
    const { rows } = await this.#database.query<
      CostRow & { readonly states: Readonly<Partial<Record<MessageState, number>>> }
    >(sumTree, [id]);
    return { messages: rows[0]?.states ?? {}, cost: costOf(rows[0]) };
  }
}

function describeMessage(row: FoundRow): Omit<MessageCost, 'failures' | 'cost' | 'calls' | 'tree'> {
  const { parentId, owner: _owner, createdAt, admittedAt, origin, ...envelope } = envelopeOf(row);
  return {
    ...envelope,
    ...(parentId === undefined ? {} : { parentId }),
    origin: originDocument(origin),
    state: row.state,
    deliveries: row.deliveries,
    attempts: row.attempts + row.invalid_output_attempts,
    invalidOutputAttempts: row.invalid_output_attempts,
    createdAt: createdAt.toISOString(),
    admittedAt: admittedAt.toISOString(),
    ...(row.finished_at === null ? {} : { finishedAt: row.finished_at.toISOString() }),
    ...(row.error_code === null ? {} : { errorCode: row.error_code }),
  };
}

function describeCall(row: CallRow): MessageCost['calls'][number] {
  return {
    id: row.id,
    step: row.step,
    attempt: row.attempt,
    provider: row.provider,
    model: row.model,
    ...(row.answered_model === null ? {} : { answeredModel: row.answered_model }),
    ...(row.fallback_from === null ? {} : { fallbackFrom: row.fallback_from }),
    ...(row.cascade_verdict === null ? {} : { cascadeVerdict: row.cascade_verdict }),
    state: row.state,
    ...(row.outcome === null ? {} : { outcome: row.outcome }),
    ...(row.settlement === null ? {} : { settlement: row.settlement }),
    ...(row.is_suspect ? { isSuspect: true } : {}),
    ...(row.error_type === null ? {} : { errorType: row.error_type }),
    reservedAt: row.reserved_at.toISOString(),
    ...(row.duration_ms === null ? {} : { durationMs: row.duration_ms }),
    ...(row.tokens === null ? {} : { tokens: tokensSchema.parse(JSON.parse(row.tokens)) }),
    ...(row.cost_usd === null ? {} : { costUsd: plain(row.cost_usd) }),
    ...(row.upper_bound_usd === null ? {} : { upperBoundUsd: plain(row.upper_bound_usd) }),
    ...(row.waste_reason === null ? {} : { wasteReason: row.waste_reason }),
    ...(row.parameters === null ? {} : { parameters: parametersSchema.parse(JSON.parse(row.parameters)) }),
  };
}

function costOf(row: CostRow | undefined): CostFigures {
  return {
    calls: row?.calls ?? 0,
    costUsd: plain(row?.cost_usd ?? '0'),
    unpricedCalls: row?.unpriced_calls ?? 0,
    unsettledCalls: row?.unsettled_calls ?? 0,
    openUpperBoundUsd: plain(row?.open_upper_usd ?? '0'),
  };
}

function plain(text: string): string {
  return formatUsd(usd(text));
}
