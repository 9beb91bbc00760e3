import { writeFileSync } from 'node:fs';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import type { PayloadStore } from '../../src/drivers/payload-store/payload-store.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { preferShortRun } from '../../src/cli/engine-settings.ts';
import { openStores } from '../../src/host/stores.ts';
import { rollupTotals } from '../support/spend-rollups.ts';
import { type ChaosSettings, configurationOf } from './chaos-settings.ts';
import type * as evidence from './evidence.ts';
import { digestOfOdd } from './odd-input.ts';
import { putOffCalls } from './put-off-calls.ts';

/*
 * Opens the stores of a run when no host does any more, and writes down all that they hold. A process of its own,
 * because a chDB directory belongs to one process for its life.
 *
 *   node store-inspector.ts '{…settings}' evidence.json
 */

const millis = (column: string): string => `(extract(epoch from ${column}) * 1000)::float8`;

async function rowsOf<Row>(database: SqlDatabase, name: string, text: string): Promise<readonly Row[]> {
  return (await database.query<Row>({ name: `chaos.${name}`, text })).rows;
}

type MessageRow = Omit<evidence.MessageEvidence, 'data'> & {
  readonly body: string | null;
  readonly body_ref: string | null;
};

async function readMessages(
  database: SqlDatabase,
  payloads: PayloadStore,
): Promise<evidence.MessageEvidence[]> {
  const rows = await rowsOf<MessageRow>(
    database,
    'messages',
    `select id, root_id, parent_id, event_id, type, version, stage, lane, state, fencing_token, parked_for, order_key, order_place::float8 as order_place, branch_id, join_id, team, customer, feature, coalesce(batch, '') as batch, labels,
       attempts, result, error_code, body, body_ref from millrace.messages order by id`,
  );
  return await Promise.all(
    rows.map(async ({ body, body_ref: reference, ...row }) => {
      const json =
        reference === null ? (body ?? 'null') : Buffer.from(await payloads.get(reference)).toString();
      const { key, parts, index, cause, odd } = JSON.parse(json) as evidence.MessageEvidence['data'];
      const data = {
        key,
        odd: digestOfOdd(odd),
        ...(parts === undefined ? {} : { parts }),
        ...(index === undefined ? {} : { index }),
      };
      return { ...row, data: cause === undefined ? data : { ...data, cause } };
    }),
  );
}

const callsSql = `select id, message_id, fencing_token, provider, model, fallback_from, step, ordinal, attempt, request_kind, state, outcome, settlement,
  (answer is not null or answer_ref is not null) and invalidated_at is null as has_answer, is_suspect, ${millis('reserved_at')} as reserved_ms, ${millis('settled_at')} as settled_ms,
  waste_reason, cost_usd::text as cost_usd, upper_bound_usd::text as upper_bound_usd from millrace.calls order by reserved_at`;

const branchesSql = `select b.id, b.join_id, b.state, j.quorum, j.ended, j.succeeded, j.released_by
  from millrace.join_branches b join millrace.joins j on j.id = b.join_id order by b.join_id, b.place`;

const failuresSql = `select message_id, fencing_token, code, detail from millrace.failures order by at`;

const historySql = `select message_id, ${millis('at')} as at_ms, from_state, to_state, from_fencing_token, to_fencing_token, held_by, taken_by,
  ${millis('held_until')} as held_until_ms, ${millis('leased_at')} as leased_ms, ${millis('available_at')} as available_ms, parked_for, xact, client from chaos.history order by seq`;

const replaysSql = `select a.message_id, a.fencing_token, o.actor from millrace.dead_letter_actions a join millrace.operator_actions o on o.id = a.action_id
  where o.action = 'dead_letters.replay'`;

const batchesSql = `select id, name, state, items, succeeded, failed, expired, cancelled, skipped, cost_usd::text as cost_usd from millrace.batches order by name`;

const itemsSql = `select b.name as batch, i.position, i.item_id, i.message_id, i.state, i.error_code, i.cost_usd::text as cost_usd
  from millrace.batch_items i join millrace.batches b on b.id = i.batch_id order by b.name, i.position`;

const changesSql = `select b.name as batch, h.position, h.from_state, h.to_state from chaos.batch_history h join millrace.batches b on b.id = h.batch_id order by h.seq`;

const providerBatchesSql = `select id, account, state, provider_id, requests from millrace.provider_batches order by planned_at, id`;

const providerRequestsSql = `select r.batch_id, r.place, r.request_id, o.outcome from millrace.provider_batch_requests r
  left join millrace.provider_batch_results o on o.batch_id = r.batch_id and o.place = r.place order by r.batch_id, r.place`;

const putOffSql = `select ${putOffCalls} as calls`;

async function readBatches(database: SqlDatabase): Promise<evidence.StoreEvidence['batches']> {
  const [putOff = { calls: 0 }] = await rowsOf<{ calls: number }>(database, 'put_off', putOffSql);
  return {
    rows: await rowsOf(database, 'batches', batchesSql),
    items: await rowsOf(database, 'batch_items', itemsSql),
    changes: await rowsOf(database, 'batch_changes', changesSql),
    providerBatches: await rowsOf(database, 'provider_batches', providerBatchesSql),
    providerRequests: await rowsOf(database, 'provider_requests', providerRequestsSql),
    putOff: putOff.calls,
  };
}

const openSql = `select (select count(*) from millrace.blocks)::int as pauses,
  (select coalesce(sum(reserved), 0) from millrace.quota_windows)::text as reserved_usd`;

const backlogSql = `select (select count(*) from millrace.outbox)::int as records,
  (select count(*) from millrace.export_batches where exported_at is null)::int as batches`;

/** 64-bit integers come as text. */
function withNumbers<Row extends object>(row: Row, names: readonly (keyof Row)[]): Row {
  return { ...row, ...Object.fromEntries(names.map((name) => [name, Number(row[name])])) };
}

async function readUsage(columns: ColumnStore): Promise<evidence.UsageEvidence[]> {
  const rows = await columns.query<evidence.UsageEvidence>(
    `SELECT toString(call_id) AS call_id, toString(any(message_id)) AS message_id, count() AS records, uniqExact(record_id) AS distinct_records,
       sum(u.calls) AS calls, sum(ifNull(u.cost_usd, 0)) AS cost_usd, sum(ifNull(u.upper_bound_usd, 0)) AS upper_bound_usd,
       sum(unsettled_calls) AS unsettled, sum(estimated_calls) AS estimated, sum(unpriced_calls) AS unpriced, sum(suspect_calls) AS suspect,
       any(u.team) AS team, any(u.customer) AS customer, any(u.feature) AS feature, any(u.batch) AS batch
     FROM ${columns.database}.usage AS u GROUP BY call_id`,
  );
  return rows.map((row) =>
    withNumbers(row, [
      'records',
      'distinct_records',
      'calls',
      'unsettled',
      'estimated',
      'unpriced',
      'suspect',
    ]),
  );
}

async function readOutcomes(columns: ColumnStore): Promise<evidence.OutcomeEvidence[]> {
  const rows = await columns.query<evidence.OutcomeEvidence>(
    `SELECT toString(message_id) AS message_id, toString(outcome) AS outcome, deliveries, team, customer, feature, batch
     FROM ${columns.database}.message_outcomes`,
  );
  return rows.map((row) => withNumbers(row, ['deliveries']));
}

async function readRollups(columns: ColumnStore): Promise<evidence.StoreEvidence['rollups']> {
  const totals = await rollupTotals(columns);
  return totals.map(({ projection, calls, cost }) => ({
    table: projection,
    calls: Number(calls),
    cost_usd: cost,
  }));
}

const [settingsText = '{}', output = ''] = process.argv.slice(2);
preferShortRun();
const stores = await openStores(
  configurationOf(JSON.parse(settingsText) as ChaosSettings, ['api', 'worker', 'maintenance']),
  'inspector',
);
const { database, columns, payloads } = stores;
const [unexported = { records: 0, batches: 0 }] = await rowsOf<{ records: number; batches: number }>(
  database,
  'backlog',
  backlogSql,
);
const [left = { pauses: 0, reserved_usd: '0' }] = await rowsOf<evidence.StoreEvidence['left']>(
  database,
  'left',
  openSql,
);
const collected: evidence.StoreEvidence = {
  messages: await readMessages(database, payloads),
  branches: await rowsOf<evidence.BranchEvidence>(database, 'branches', branchesSql),
  calls: await rowsOf<evidence.CallEvidence>(database, 'calls', callsSql),
  failures: await rowsOf<evidence.FailureEvidence>(database, 'failures', failuresSql),
  history: await rowsOf<evidence.HistoryEvidence>(database, 'history', historySql),
  usage: await readUsage(columns),
  outcomes: await readOutcomes(columns),
  replays: await rowsOf<evidence.ReplayEvidence>(database, 'replays', replaysSql),
  rollups: await readRollups(columns),
  batches: await readBatches(database),
  unexported,
  left,
};
writeFileSync(output, JSON.stringify(collected));
await stores.close();
