import { sourceOf } from '../../src/capabilities/batches/batch.ts';
import type { BatchMode, ShareScope } from '../../src/capabilities/batches/batch-settings.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { MessageCancellations } from '../../src/engine/ledger/message-cancellations.ts';
import { MessageReplays, type RevivedMessage } from '../../src/engine/ledger/message-replays.ts';
import { messageIdOf } from '../../src/engine/pipeline/admissions.ts';
import { MessageCanceller } from '../../src/engine/pipeline/message-canceller.ts';
import { metricCatalogue } from '../../src/host/metric-catalogue.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { derivedId, newId, type Uuid } from '../../src/kernel/ids.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';

/*
 * What stands around the mode of batches: their rows, and what the runner of batches and operators do with their messages.
 */

/** The id of a team's batch of this name, where tests write batches themselves: the same each time. */
export function batchId(team: string, name: string): Uuid {
  return derivedId(new Date(0), 'batch', team, name);
}

/** A batch that runs, without items. */
export async function writeModedBatch(
  database: SqlDatabase,
  { team, name }: { readonly team: string; readonly name: string },
  {
    mode,
    deadline,
    share,
    beganAt,
  }: {
    readonly mode: BatchMode;
    readonly deadline: Date | undefined;
    readonly share?: ShareScope;
    readonly beganAt: Date;
  },
): Promise<void> {
  await database.query(
    {
      name: 'test.write-moded-batch',
      text: `insert into millrace.batches (id, team, name, customer, feature, pipeline, type, version, settings, state, deadline, actor, created_at, started_at)
        values ($1::uuid, $2, $3, 'acme', 'search', 'test', 'mode.asked', 1, $4, 'running', $5::timestamptz, 'test', $6::timestamptz, $6::timestamptz)`,
    },
    [batchId(team, name), team, name, JSON.stringify({ mode, share }), deadline ?? null, beganAt],
  );
}

/** Items of the batch that run, with the ids 1, 2, and so on, and a team of their own. */
export async function writeModedItems(
  database: SqlDatabase,
  id: Uuid,
  { count, team }: { readonly count: number; readonly team: string },
): Promise<void> {
  const rows = Array.from({ length: count }, (_, place) => ({
    position: place + 1,
    message_id: messageIdOf(team, sourceOf(id), String(place + 1)),
  }));
  await database.query(
    {
      name: 'test.write-moded-items',
      text: `insert into millrace.batch_items (batch_id, position, item_id, chunk, message_id, team, data, data_bytes, tokens, state)
        select $1::uuid, r.position, r.position::text, 1, r.message_id, $2, '{}', 2, 1, 'running'
        from json_to_recordset($3::json) as r(position int, message_id uuid)`,
    },
    [id, team, JSON.stringify(rows)],
  );
}

/** What an operator does whose batches have dead letters. Answers what lives again. */
export async function replayBatches(
  database: SqlDatabase,
  names: readonly string[],
): Promise<readonly RevivedMessage[]> {
  const { rows } = await database.query<{ id: Uuid }>(
    {
      name: 'test.dead-roots',
      text: `select distinct m.root_id as id from millrace.messages m where m.state = 'dead_lettered' and m.batch = any($1::text[])`,
    },
    [names],
  );
  const record = { id: newId(new Date()), actor: 'ann', target: 'batch', detail: {}, reason: 'again' };
  return await new MessageReplays(database).replay(
    rows.map(({ id }) => id),
    record,
  );
}

/** What whoever winds batches down does with their messages. */
export async function cancelBatchMessages(database: SqlDatabase, names: readonly string[]): Promise<void> {
  const canceller = new MessageCanceller({
    ledger: new MessageCancellations(database),
    metrics: createMetrics(metricCatalogue),
    clock: systemClock,
  });
  const { rows } = await database.query<{ id: Uuid }>(
    {
      name: 'test.open-of-batches',
      text: `select m.id from millrace.messages m where m.state in ('pending', 'leased') and m.batch = any($1::text[])`,
    },
    [names],
  );
  const record = {
    id: newId(new Date()),
    actor: 'batch',
    target: 'batch',
    detail: {},
    reason: 'cancelled',
  };
  await canceller.cancel(
    rows.map(({ id }) => id),
    record,
  );
}
