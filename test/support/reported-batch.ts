import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { messageIdOf } from '../../src/engine/pipeline/admissions.ts';
import { derivedId, type Uuid } from '../../src/kernel/ids.ts';
import type { TokenCounts } from '../../src/pricing/token-classes.ts';
import { type BatchState, type ItemState, sourceOf } from '../../src/capabilities/batches/batch.ts';
import { batchSettingsSchema } from '../../src/capabilities/batches/batch-settings.ts';
import { batchId } from './moded-batches.ts';

/* Batches as the ledger has them when they have run, written row by row: what a report says of them is known beforehand. */

/** A call of an item. Without more: a call of the first stage that succeeded. */
export interface ReportedCall {
  readonly stage?: string;
  readonly provider?: string;
  readonly model?: string;
  readonly tier?: string;
  readonly isBatch?: boolean;
  readonly state?: 'reserved' | 'settled' | 'unsettled';
  readonly isEstimated?: boolean;
  /** It is known to have cost nothing. */
  readonly isFree?: boolean;
  /** Null: it has no price. */
  readonly costUsd?: string | null;
  readonly upperBoundUsd?: string;
  readonly tokens?: TokenCounts;
  /** Its cost by class: "cache_read" and so on. */
  readonly costs?: Readonly<Record<string, string>>;
  readonly waste?: string;
  readonly priceReference?: string;
  /** Its place in a cascade, and what became of its answer. */
  readonly cascade?: {
    readonly place: number;
    readonly models: number;
    readonly verdict?: 'accepted' | 'escalated';
    readonly lastUsd?: string;
  };
}

export interface ReportedItem {
  readonly id: string;
  readonly state?: ItemState;
  readonly team?: string;
  readonly errorCode?: string;
  readonly calls?: readonly ReportedCall[];
  /** How long its message of a stage ran. Those of the first stage that is named is the admitted one. Default: 1000 for "first". */
  readonly stagesMs?: Readonly<Record<string, number>>;
  /** Failed runs of its first message. */
  readonly failedRuns?: number;
  /** Whether it was never admitted, or its messages are gone. */
  readonly hasNoMessage?: boolean;
  /** Calls of an earlier message that was cancelled: the item ran anew. */
  readonly earlierCalls?: readonly ReportedCall[];
}

export interface ReportedBatch {
  readonly name: string;
  readonly team?: string;
  readonly pipeline?: string;
  readonly state?: BatchState;
  readonly cause?: { readonly code: string; readonly detail: string };
  readonly createdAt?: string;
  readonly startedAt?: string | null;
  readonly endedAt?: string | null;
  readonly deadline?: string;
  readonly items: readonly ReportedItem[];
}

const rowsAtOnce = 2000;
const noTokens: TokenCounts = {};

/** Writes the batch with all that follows from it. Answers its id. */
export async function writeReportedBatch(database: SqlDatabase, batch: ReportedBatch): Promise<Uuid> {
  const { name, team = 'blue', pipeline = 'summaries', state = 'succeeded', items } = batch;
  const id = batchId(team, name);
  const startedAt = batch.startedAt === undefined ? '2026-11-30T08:00:00Z' : batch.startedAt;
  const isOver = ['succeeded', 'failed', 'cancelled', 'expired'].includes(state);
  const endedAt = batch.endedAt === undefined ? (isOver ? '2026-11-30T09:30:00Z' : null) : batch.endedAt;
  const ends = (end: ItemState): number => items.filter((item) => (item.state ?? 'succeeded') === end).length;
  await run(
    database,
    `insert into millrace.batches (id, team, name, customer, feature, pipeline, type, version, settings, state, cause, deadline, items, chunks,
       succeeded, failed, expired, cancelled, skipped, actor, created_at, started_at, ended_at)
     values ($1::uuid, $2, $3, 'acme', 'search', $4, 'thing', 1, $5, $6, $7, $8::timestamptz, $9::int, 1, $10::int, $11::int, $12::int, $13::int,
       $14::int, 'ann', $15::timestamptz, $16::timestamptz, $17::timestamptz)`,
    [
      id,
      team,
      name,
      pipeline,
      JSON.stringify(batchSettingsSchema.parse({})),
      state,
      batch.cause === undefined ? null : JSON.stringify(batch.cause),
      batch.deadline ?? null,
      items.length,
      ends('succeeded'),
      ends('failed'),
      ends('expired'),
      ends('cancelled'),
      ends('skipped'),
      batch.createdAt ?? '2026-11-30T07:55:00Z',
      startedAt,
      endedAt,
    ],
  );
  await run(
    database,
    `insert into millrace.batch_chunks (batch_id, chunk, state, first_position, items) values ($1::uuid, 1, $2, 1, $3::int)`,
    [id, isOver ? 'done' : 'running', items.length],
  );
  const rows = items.map((item, index) => rowsOf(item, { id, team, name, pipeline, position: index + 1 }));
  await insert(
    database,
    rows.map(({ item }) => item),
    `insert into millrace.batch_items (batch_id, position, item_id, chunk, message_id, team, data, data_bytes, tokens, state, error_code, run)
     select batch_id, position, item_id, 1, message_id, team, '{}', 2, 1, state, error_code, run
     from json_to_recordset($1::json) as r(batch_id uuid, position int, item_id text, message_id uuid, team text, state text, error_code text, run int)`,
  );
  await insert(
    database,
    rows.flatMap(({ earlier }) => earlier),
    `insert into millrace.batch_item_runs (batch_id, position, message_id)
     select batch_id, position, message_id from json_to_recordset($1::json) as r(batch_id uuid, position int, message_id uuid)`,
  );
  await insert(
    database,
    rows.flatMap(({ messages }) => messages),
    `insert into millrace.messages (id, root_id, parent_id, source, event_id, type, version, pipeline, stage, owner, lane, team, customer,
       feature, batch, item, trace_parent, body, body_bytes, state, attempts, available_at, sweep_at, created_at, admitted_at, leased_at, finished_at)
     select id, root_id, parent_id, source, item, 'thing', 1, pipeline, stage, 'platform', 'bulk', team, 'acme', 'search', batch, item, '', '{}', 2,
       case when ms is null then 'pending' else 'completed' end, attempts, t.at, case when ms is null then timestamptz 'infinity' end, t.at, t.at, t.at,
       t.at + ms * interval '1 millisecond'
     from json_to_recordset($1::json) as r(id uuid, root_id uuid, parent_id uuid, source text, pipeline text, stage text, team text, batch text,
       item text, attempts int, ms int, after_ms int)
     cross join lateral (select timestamptz '2026-11-30T08:00:00Z' + after_ms * interval '1 millisecond' as at) t`,
  );
  await insert(
    database,
    rows.flatMap(({ calls }) => calls),
    `insert into millrace.calls (id, message_id, fencing_token, step, ordinal, attempt, state, provider, model, operation, tier, request_kind,
       request_digest, reserved_at, upper_bound_usd, settled_at, outcome, settlement, tokens, cost_usd, cost_detail, waste_reason,
       price_reference, answered_model, cascade_place, cascade_models, cascade_verdict, cascade_usd)
     select id, message_id, 1, 'answer', ordinal, 1, state, provider, model, 'chat', tier, request_kind, 'digest', '2026-11-30T08:00:01Z',
       upper_bound_usd, case when state <> 'reserved' then timestamptz '2026-11-30T08:00:02Z' end, outcome, settlement, tokens, cost_usd,
       cost_detail, waste_reason, price_reference, model, cascade_place, cascade_models, cascade_verdict, cascade_usd
     from json_to_recordset($1::json) as r(id uuid, message_id uuid, ordinal int, state text, provider text, model text, tier text, request_kind text,
       upper_bound_usd numeric, outcome text, settlement text, tokens text, cost_usd numeric, cost_detail text, waste_reason text, price_reference text,
       cascade_place smallint, cascade_models smallint, cascade_verdict text, cascade_usd numeric)`,
  );
  return id;
}

interface Place {
  readonly id: Uuid;
  readonly team: string;
  readonly name: string;
  readonly pipeline: string;
  readonly position: number;
}

type Row = Readonly<Record<string, unknown>>;

function rowsOf(
  item: ReportedItem,
  { id, team, name, pipeline, position }: Place,
): {
  readonly item: Row;
  readonly earlier: readonly Row[];
  readonly messages: readonly Row[];
  readonly calls: readonly Row[];
} {
  const { state = 'succeeded', calls = [], earlierCalls, hasNoMessage = false, failedRuns = 0 } = item;
  const owner = item.team ?? team;
  const runs = earlierCalls === undefined ? 0 : 1;
  const idOfRun = (run: number): Uuid =>
    messageIdOf(owner, run === 0 ? sourceOf(id) : `${sourceOf(id)}?run=${run}`, item.id);
  const rootId = idOfRun(runs);
  const isOpen = state === 'running' || state === 'waiting';
  const stages = Object.entries(item.stagesMs ?? { first: 1000 });
  const idOfStage = (stage: string): Uuid =>
    stage === stages[0]?.[0] ? rootId : derivedId(new Date(0), rootId, stage);
  const message = (messageId: Uuid, root: Uuid, stage: string, ms: number | null): Row => ({
    id: messageId,
    root_id: root,
    parent_id: messageId === root ? null : root,
    source: sourceOf(id),
    pipeline,
    stage,
    team: owner,
    batch: name,
    item: item.id,
    attempts: messageId === root ? failedRuns : 0,
    ms,
    after_ms: position * 1000,
  });
  const messages = hasNoMessage
    ? []
    : stages.map(([stage, ms]) => message(idOfStage(stage), rootId, stage, isOpen ? null : ms));
  const earlier = runs === 0 ? [] : [message(idOfRun(0), idOfRun(0), stages[0]?.[0] ?? 'first', 10)];
  return {
    item: {
      batch_id: id,
      position,
      item_id: item.id,
      message_id: rootId,
      team: item.team ?? null,
      state,
      error_code: item.errorCode ?? null,
      run: runs,
    },
    earlier: runs === 0 ? [] : [{ batch_id: id, position, message_id: idOfRun(0) }],
    messages: [...messages, ...earlier],
    calls: hasNoMessage
      ? []
      : [
          ...calls.map((call, ordinal) =>
            callRow(call, idOfStage(call.stage ?? stages[0]?.[0] ?? 'first'), ordinal),
          ),
          ...(earlierCalls ?? []).map((call, ordinal) => callRow(call, idOfRun(0), ordinal)),
        ],
  };
}

function callRow(call: ReportedCall, messageId: Uuid, ordinal: number): Row {
  const { state = 'settled', waste, costs, isEstimated = false, isFree = false } = call;
  const isSettled = state === 'settled';
  const detail = Object.entries(costs ?? {}).map(([name, amount]) => `"cost_${name}":"${amount}"`);
  return {
    id: derivedId(new Date(0), messageId, String(ordinal)),
    message_id: messageId,
    ordinal,
    state,
    provider: call.provider ?? 'openai',
    model: call.model ?? 'gpt-5-mini',
    tier: call.tier ?? 'default',
    request_kind: call.isBatch === true ? 'batch' : 'single',
    upper_bound_usd: call.upperBoundUsd ?? null,
    outcome: { reserved: null, unsettled: 'unknown', settled: waste === 'failed' ? 'error' : 'ok' }[state],
    settlement: { reserved: null, unsettled: 'unsettled', settled: settlementOf(isEstimated, isFree) }[state],
    tokens: isSettled ? JSON.stringify(call.tokens ?? noTokens) : null,
    cost_usd: isSettled && call.costUsd !== null ? (call.costUsd ?? '0') : null,
    cost_detail: detail.length === 0 ? null : detail.join(','),
    waste_reason: waste ?? null,
    price_reference: call.priceReference ?? null,
    cascade_place: call.cascade?.place ?? null,
    cascade_models: call.cascade?.models ?? null,
    cascade_verdict: isSettled ? (call.cascade?.verdict ?? null) : null,
    cascade_usd: isSettled ? (call.cascade?.lastUsd ?? null) : null,
  };
}

function settlementOf(isEstimated: boolean, isFree: boolean): string {
  if (isFree) return 'free';
  return isEstimated ? 'estimated' : 'reported';
}

async function insert(database: SqlDatabase, rows: readonly Row[], text: string): Promise<void> {
  for (let from = 0; from < rows.length; from += rowsAtOnce) {
    await run(database, text, [JSON.stringify(rows.slice(from, from + rowsAtOnce))]);
  }
}

async function run(database: SqlDatabase, text: string, parameters: readonly unknown[]): Promise<void> {
  const [, table = ''] = /insert into millrace\.(\w+)/.exec(text) ?? [];
  await database.query({ name: `test.reported_${table}`, text }, parameters);
}

/** What tests of reports begin without. */
export const reportedTables = ['millrace.batches', 'millrace.messages', 'millrace.calls', 'millrace.outbox'];
