import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pendingMigrations } from '../../src/drivers/sql-database/migrator.ts';
import { PostgresSqlDatabase } from '../../src/drivers/sql-database/sql-database.postgres.ts';
import { packageRoot } from '../../src/kernel/package-root.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { MessageCancellations } from '../../src/engine/ledger/message-cancellations.ts';
import { Blocks } from '../../src/engine/ledger/blocks.ts';
import { ExportLedger } from '../../src/engine/export/export-ledger.ts';
import { newId } from '../../src/kernel/ids.ts';
import { DeadLetterFixture } from '../support/dead-letter-fixture.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { canRun, postgresPrograms } from '../support/required-programs.ts';
import { pruneAll } from '../support/prune-all.ts';

/* postgres/roles.sql: the ledger at work under a role that owns nothing. */

describe.skipIf(!canRun(postgresPrograms()))('the running role', () => {
  let server: PostgresServer;
  let database: PostgresSqlDatabase;

  const open = (connectionString: string) =>
    PostgresSqlDatabase.open({
      connectionString,
      poolSize: 4,
      statementTimeoutMs: 30_000,
      applicationName: 'roles',
    });

  beforeAll(async () => {
    server = await PostgresServer.start();
    const url = await server.createLedger('ledger');
    const owner = await open(url);
    await owner.execute("create role millrace_run login password 'secret'");
    const script = readFileSync(join(packageRoot(), 'postgres', 'roles.sql'), 'utf8');
    await owner.execute(script.replaceAll(':"role"', '"millrace_run"'));
    await owner.close();
    database = await open(url.replace('postgres@', 'millrace_run:secret@'));
  });

  afterAll(async () => {
    await database.close();
    await server.stop();
  });

  it('does all the work of the ledger', async () => {
    expect(await pendingMigrations(database)).toEqual([]);
    const fixture = new DeadLetterFixture(database);
    const id = await fixture.admit();
    const { fencingToken } = await fixture.lease(id);
    await fixture.pay(id, fencingToken, 'draft', '0.25');
    await fixture.end(id, fencingToken);
    const record = { id: newId(new Date()), actor: 'ann', reason: 'r', target: 'messages', detail: {} };
    const other = await fixture.admit();
    await new MessageCancellations(database).cancel(
      [{ id: other, fencingToken: 0, outcomeLine: '{}' }],
      record,
      '{}',
    );
    const holds = new Blocks({ database, clock: systemClock });
    const hold = { scope: 'stage', value: 'first', aborts: false, actor: 'ann', reason: 'r' } as const;
    await holds.place(hold);
    await holds.remove(hold, { actor: 'ann', reason: 'r' });
    const ledger = new ExportLedger(database);
    const batch = await ledger.bind(newId(new Date()), 'usage', 10);
    expect(batch?.lines).toHaveLength(1);
    if (batch !== undefined) await ledger.markExported(batch.id);
    await pruneAll(database, { finishedMs: 0, exportedMs: 0 }, 10);
  });

  it.each([
    'create table millrace.more (a int)',
    'alter table millrace.messages add column more int',
    'drop table millrace.calls',
    'truncate millrace.messages',
    'create table public.more (a int)',
    "update millrace.operator_actions set reason = ''",
    'update millrace.operator_actions set actor = reason, affected = 0',
    'delete from millrace.operator_actions',
    'delete from millrace.migrations',
    'delete from millrace.erasures',
  ])('is refused: %s', async (statement) => {
    await expect(database.execute(statement)).rejects.toThrow(/permission denied|must be owner/);
  });
});
