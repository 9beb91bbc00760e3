import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Host } from '../../src/host/host.ts';
import { loadConfiguration } from '../../src/host/load-configuration.ts';
import { openPayloads, openQueues } from '../../src/host/stores.ts';
import { MemoryEventLogDriver } from '../../src/drivers/event-log/event-log.memory.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { connectClickHouse } from '../../src/drivers/column-store/column-store.clickhouse.ts';
import { PostgresSqlDatabase } from '../../src/drivers/sql-database/sql-database.postgres.ts';
import { LedgerCounts } from '../../src/engine/ledger/ledger-counts.ts';
import { defineMessage, defineStage } from '../../src/millrace.ts';
import type { RegisteredStage } from '../../src/engine/pipeline/stage-registry.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { ExplainingDatabase } from '../support/explaining-database.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { RedisServer } from '../support/redis-server.ts';
import { canRun, postgresPrograms, redisPrograms } from '../support/required-programs.ts';
import { depth } from '../support/test-depth.ts';

/*
 * Nothing that a host does over and over may cost more because more is waiting, or has been. A host runs, with every
 * background job and with somebody who scrapes it, on a small ledger and on one that is several times as large. Each
 * statement that it makes is explained: on the large one none may read more rows than on the small one, beyond what chance
 * in plans and times explains. Both are larger than any slice that a job works off at once.
 */

const sizes = {
  small: { waiting: 10_000, others: 5000 },
  large: { waiting: depth({ usual: 30_000, full: 100_000 }), others: 10_000 },
};

const kinds = `(values ('ready', 'pending', null), ('later', 'pending', null), ('set aside', 'pending', 'order'),
    ('held', 'pending', 'pause:00000000-0000-0000-0000-000000000001'), ('unpaid', 'pending', 'budget:blue'), ('planned', 'pending', 'start'),
    ('done', 'completed', null), ('dead', 'dead_lettered', null), ('discarded', 'dead_lettered', null))`;

/** $1 how many rows of each kind: messages as they wait and as they ended, half of them long ago; failures and unsettled calls. */
const fillMessages = `insert into millrace.messages (id, root_id, source, event_id, type, version, pipeline, stage, owner, lane, team,
     customer, feature, item, trace_parent, body, body_bytes, state, parked_for, order_key, order_place, available_at, sweep_at, created_at,
     admitted_at, finished_at, error_code, discarded_at, waits_for, start_at)
   select id, id, 'test', n::text, 'work', 1, 'default', 'work', 'platform', (array['interactive', 'standard', 'bulk'])[1 + n % 3],
     (array['blue', 'green'])[1 + n % 2], 'customer-' || n % 50, (array['shop', 'search', 'stopped'])[1 + n % 3], n::text, '', '{}', 2,
     k.state, k.parked_for, case when k.kind = 'set aside' then 'key-' || n % 100 end, n,
     case when k.kind = 'later' then now() + (1 + n % 600) * interval '1 minute' else now() - n % 10000 * interval '1 second' end,
     case when k.state = 'pending' then timestamptz 'infinity' end, t.at, t.at,
     case when k.state <> 'pending' then t.at + interval '1 minute' end,
     case when k.state = 'dead_lettered' then 'MILLRACE_MODEL_NETWORK' end, case when k.kind = 'discarded' then now() end,
     case when k.kind = 'later' then 'retry:MILLRACE_MODEL_NETWORK' end,
     case when k.kind = 'planned' then now() + interval '1 hour' + n * interval '1 second' end
   from ${kinds} k(kind, state, parked_for)
   cross join lateral (select n, gen_random_uuid() as id from generate_series(1, case when k.kind = 'ready' then $1::int else $2::int end) n) made
   cross join lateral (select now() - case when n % 2 = 0 then interval '60 days' else interval '1 day' end as at) t`;

const fillCalls = `insert into millrace.calls (id, message_id, fencing_token, origin, step, ordinal, attempt, state, provider, model, operation, tier, request_kind,
     request_digest, reserved_at, upper_bound_usd, settled_at, outcome, settlement, cost_usd)
   select gen_random_uuid(), case when k.kind <> 'outside' then m.id end, 1, case when k.kind = 'outside' then '{"team":"blue"}' end,
     'answer', 0, 1, case when k.kind = 'unsettled' then 'unsettled' else 'settled' end, 'openai', 'gpt-5-mini', 'chat', 'default', 'single',
     'digest', m.created_at, 0.1, m.finished_at, 'ok', 'reported', 0.01
   from (values ('settled'), ('unsettled'), ('outside')) k(kind)
   cross join (select id, created_at, finished_at from millrace.messages where state = 'completed') m`;

/**
 * A batch that is under way in forty chunks, of messages that wait and of completed ones, whose ends are to be recorded; those that
 * wait have a call that is put off. And one with as many items in many chunks that was cancelled before they were begun.
 */
const fillBatches = `
  insert into millrace.batches (id, team, name, customer, feature, pipeline, type, version, settings, state, upload_state, items, chunks, actor, started_at)
    values ('00000000-0000-0000-0000-00000000000a', 'blue', 'running', 'c', 'f', 'default', 'work', 1, '{}', 'running', 'complete', 1000000, 1, 'ann', now()),
      ('00000000-0000-0000-0000-00000000000b', 'blue', 'ended', 'c', 'f', 'default', 'work', 1, '{}', 'cancelled', 'complete', 1000000, 1, 'ann', now());
  insert into millrace.batch_items (batch_id, position, item_id, chunk, message_id, data, data_bytes, tokens, state)
    select '00000000-0000-0000-0000-00000000000a', m.n, 'item-' || m.n, 1 + m.n % 40, m.id, '{}', 2, 1, 'running'
    from (select id, row_number() over (order by state = 'pending', id)::int as n from millrace.messages
      where state = 'completed' or parked_for is null and available_at <= now() and state = 'pending') m;
  insert into millrace.batch_items (batch_id, position, item_id, chunk, message_id, data, data_bytes, tokens)
    select '00000000-0000-0000-0000-00000000000b', n, 'item-' || n, 1 + n / 10, gen_random_uuid(), '{}', 2, 1 from generate_series(1, (select count(*)::int from millrace.batch_items)) n;
  insert into millrace.batch_chunks (batch_id, chunk, first_position, items, attempts, begun, state, admitted_at)
    select batch_id, chunk, min(position), count(*), 1, 1, case when bool_or(state = 'running') then 'running' else 'waiting' end, case when bool_or(state = 'running') then now() end
    from millrace.batch_items group by batch_id, chunk;
  insert into millrace.calls (id, message_id, fencing_token, step, ordinal, attempt, state, provider, model, operation, tier, request_kind, request_digest, reserved_at, upper_bound_usd)
    select gen_random_uuid(), i.message_id, 1, 'answer', 0, 1, 'reserved', 'openai', 'gpt-5-mini', 'chat', 'default', 'batch', 'digest', now(), 0.1
    from millrace.batch_items i join millrace.messages m on m.id = i.message_id and m.state = 'pending';
  insert into millrace.deferred_calls (call_id, message_id, batch_id, account, model, endpoint, body_bytes, estimated_tokens, bounds, state)
    select c.id, c.message_id, '00000000-0000-0000-0000-00000000000a', 'openai', 'gpt-5-mini', '/v1/responses', 2, 1, '{}', 'sent'
    from millrace.calls c where c.state = 'reserved';`;

/**
 * Joins that wait, each for two messages that are open; waits for events that have long to go; and tokens of waits, half of which never came to be.
 */
const fillJoins = `
  insert into millrace.joins (id, total, ended, succeeded) select id, 2, 0, 0 from millrace.messages where parked_for = 'order';
  insert into millrace.join_branches (id, join_id, place, type, state)
    select gen_random_uuid(), j.id, p, 'work', 'open' from millrace.joins j, generate_series(1, 2) p;
  update millrace.messages m set parked_for = 'join', join_id = m.id where m.parked_for = 'order' and m.event_id::int % 2 = 0;
  update millrace.messages m set branch_id = b.id from (
    select b.id, row_number() over (order by b.id) as n from millrace.join_branches b) b
    join (select id, row_number() over (order by id) as n from millrace.messages where state = 'pending' and parked_for is null) w on w.n = b.n
    where m.id = w.id;
  update millrace.messages m set parked_for = 'event', sweep_at = now() + interval '3 days' where m.parked_for like 'pause:%' and m.event_id::int % 2 = 0;
  insert into millrace.event_waits (id, expires_at) select id, sweep_at from millrace.messages where parked_for = 'event';
  insert into millrace.event_wait_tokens (token_hash, wait_id, created_at)
    select gen_random_uuid()::text, case when n % 2 = 0 then w.id else gen_random_uuid() end, now() - interval '60 days'
    from millrace.event_waits w, generate_series(1, 2) n;`;

/** Nobody listens there: what waits for export goes on to wait. */
const nobody = 'http://127.0.0.1:9';

const definition = defineStage('work', {
  consumes: defineMessage('work').version(1, z.unknown()).upTo(1),
});
const stages = [{ definition, handler: { handle: () => undefined } }] as readonly RegisteredStage[];

const canRunHere = [postgresPrograms(), redisPrograms()].every((programs) => canRun(programs));

describe.skipIf(!canRunHere)('what a host does over and over', { timeout: 300_000 }, () => {
  let postgres: PostgresServer;
  let redis: RedisServer;
  let directory: string;
  beforeAll(async () => {
    postgres = await PostgresServer.start({
      settings: { max_wal_size: '4GB', autovacuum: 'off' },
    });
    redis = await RedisServer.start();
    directory = await mkdtemp(join(tmpdir(), 'millrace-periodic-'));
  }, 120_000);
  afterAll(async () => {
    await redis.stop();
    await postgres.stop();
    await rm(directory, { recursive: true, force: true });
  });

  /** The most rows that each statement of a host read, by its name. */
  async function readsWith(size: keyof typeof sizes): Promise<ReadonlyMap<string, number>> {
    const url = await postgres.createLedger(size);
    const database = await PostgresSqlDatabase.open({
      connectionString: url,
      poolSize: 8,
      statementTimeoutMs: 240_000,
      applicationName: 'periodic',
    });
    const { waiting, others } = sizes[size];
    await database.query({ name: 'test.messages', text: fillMessages }, [waiting, others]);
    await database.execute(`
      ${fillCalls};
      ${fillBatches}
      ${fillJoins}
      insert into millrace.failures (message_id, fencing_token, at, code, retryable, detail)
        select id, 1, now(), 'MILLRACE_MODEL_NETWORK', true, '{}' from millrace.messages where state = 'dead_lettered';
      insert into millrace.outbox (target, line)
        select t, '{}' from (values ('usage'), ('message_outcomes')) v(t), generate_series(1, ${waiting / 5}) n;
      insert into millrace.export_batches (id, target, rows, oldest_at, exported_at)
        select gen_random_uuid(), 'usage', 10, now(), now() - interval '1 day' from generate_series(1, ${waiting / 10}) n;
      insert into millrace.payload_removals (reference, due_at)
        select 'gone-' || n, now() + interval '1 hour' from generate_series(1, ${waiting / 10}) n;
      insert into millrace.operator_actions (id, at, actor, action, target, affected, detail, reason)
        select gen_random_uuid(), now() - interval '1 day', 'ann', 'messages.cancel', 'x', 1, '{}', 'r' from generate_series(1, ${waiting / 10}) n;
      insert into millrace.blocks (id, scope, value, aborts, actor, reason)
        values ('00000000-0000-0000-0000-000000000001', 'feature', 'nobody', false, 'ann', 'r');
      analyze;`);
    while (await new LedgerCounts(database).sumUp(100_000));
    const explaining = new ExplainingDatabase(database, 5);
    const configuration = loadConfiguration({
      environment: {},
      options: {
        dataDirectory: join(directory, size),
        roles: ['api', 'maintenance'],
        ledger: { url },
        queue: { url: redis.url, prefix: size },
        columnStore: { url: nobody },
        exporter: { batchRows: 1000 },
        budgets: [{ name: 'blue', team: 'blue', window: 'month', limitUsd: '10' }],
      },
    });
    const queues = await openQueues(configuration);
    const payloads = await openPayloads(configuration);
    const columns = connectClickHouse({
      ...configuration.columnStore,
      url: nobody,
      requestTimeoutMs: 1000,
      maxConnections: 2,
    });
    const host = await Host.over({
      configuration,
      logger: silentLogger,
      stores: {
        database: explaining,
        queues,
        payloads,
        columns,
        eventLogs: new MemoryEventLogDriver({ clock: systemClock }),
        isEmbedded: false,
        close: async () => {},
      },
    });
    await host.start(stages);
    try {
      // Every job has had several turns when the slowest one, of 5 s, has had two.
      await expect
        .poll(() => explaining.timesExplained.get('ledger.list_abandoned_calls') ?? 0, {
          timeout: 120_000,
          interval: 500,
        })
        .toBeGreaterThanOrEqual(2);
      const ready = /^millrace_stage_backlog\{.*state="ready"\} [1-9]/m;
      await expect.poll(async () => (await host.metrics.render()).body, { timeout: 60_000 }).toMatch(ready);
    } finally {
      await host.stop();
      await queues.close();
      await payloads.close();
      await columns.close();
      await database.close();
    }
    return explaining.mostRead;
  }

  it('reads no more rows when several times as much is waiting or has been', async () => {
    const small = await readsWith('small');
    const large = await readsWith('large');
    const growing = [...large]
      .filter(([name, rows]) => rows > 1.5 * (small.get(name) ?? 0) + 200)
      .map(([name, rows]) => `${name}: ${small.get(name) ?? 0} rows, and ${rows} of the large one`);
    expect(growing).toEqual([]);
    // The jobs ran: each of these is made by another one.
    for (const name of [
      'ledger.sweep_messages',
      'ledger.start_due_messages',
      'ledger.list_waiting_stages',
      'ledger.sum_up_counts',
      'ledger.read_counts',
      'ledger.measure_export_backlog',
      'ledger.bind_export_batch',
      'ledger.list_parked_names',
      'ledger.park_blocked_messages',
      'ledger.read_budgets',
      'ledger.read_blocks',
      'ledger.list_abandoned_calls',
      'ledger.list_old_messages',
      'ledger.prune_calls',
      'ledger.list_payload_removals',
      'ledger.measure_coverage',
      'admission.count_models',
      'batches.find_ended_items',
      'ledger.read_trees',
      'batches.read_answers',
      'batches.record_ends',
      'batches.claim_chunks',
    ])
      expect([...large.keys()]).toContain(name);
  });
});
