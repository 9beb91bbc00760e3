import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrate } from '../../src/drivers/sql-database/migrator.ts';
import { PostgresSqlDatabase } from '../../src/drivers/sql-database/sql-database.postgres.ts';
import { newId } from '../../src/kernel/ids.ts';
import { someLedger } from '../support/ledger-fixture.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { canRun, postgresPrograms } from '../support/required-programs.ts';

/* A claim is planned once a session, often when a process has just begun and its tables are empty. */

const waiting = 100_000;

const fill = {
  name: 'test.fill',
  text: `insert into millrace.messages (id, root_id, source, event_id, type, version, pipeline, stage, owner, lane, team, customer,
     feature, item, trace_parent, body, body_bytes, state, available_at, sweep_at, created_at, admitted_at)
   select id, id, 'test', id::text, 'thing', 1, 'default', (array['first', 'other'])[1 + n % 2], 'platform',
     (array['interactive', 'standard', 'bulk'])[1 + n % 3], 'blue', 'customer-' || n % 50, 'search', id::text, '', '{}', 2, 'pending',
     clock_timestamp() - random() * interval '1 hour', 'infinity', clock_timestamp(), clock_timestamp()
   from (select n, gen_random_uuid() as id from generate_series(1, $1::int) as n) as rows`,
};

describe.skipIf(!canRun(postgresPrograms()))('a claim that was planned over empty tables', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start({ settings: { autovacuum: 'off' } });
  }, 120_000);
  afterAll(() => server.stop());

  const open = (): Promise<PostgresSqlDatabase> =>
    PostgresSqlDatabase.open({
      connectionString: server.connectionString,
      poolSize: 2,
      statementTimeoutMs: 120_000,
      applicationName: 'plans',
    });

  /** How many rows of messages, and entries of their indexes, were read. Sessions tell when they end. */
  async function readInAll(): Promise<number> {
    const watcher = await open();
    const { rows } = await watcher.query<{ read: number }>({
      name: 'test.read',
      text: `select (t.seq_tup_read + coalesce(sum(i.idx_tup_read), 0))::float8 as read
         from pg_stat_user_tables t left join pg_stat_user_indexes i on i.relid = t.relid
         where t.relid = 'millrace.messages'::regclass group by t.seq_tup_read`,
    });
    await watcher.close();
    return rows[0]?.read ?? 0;
  }

  it('reads what it takes, and some more, of a hundred thousand that wait', async () => {
    const database = await open();
    await migrate(database);
    const ledger = someLedger(database);
    const claim = () => ledger.claim({ stage: 'first', leaseMs: 60_000, about: newId(new Date()) });
    expect((await claim()).kind).not.toBe('leased');
    await database.query(fill, [waiting]);
    for (let turn = 0; turn < 10; turn += 1) {
      const outcomes = await Promise.all(Array.from({ length: 16 }, claim));
      expect(outcomes.map(({ kind }) => kind)).toEqual(outcomes.map(() => 'leased'));
    }
    await database.close();
    const perClaim = async (): Promise<number> => (await readInAll()) / 10;
    await expect.poll(perClaim, { timeout: 20_000 }).toBeGreaterThan(16);
    expect(await perClaim()).toBeLessThan(2000);
  }, 120_000);
});
