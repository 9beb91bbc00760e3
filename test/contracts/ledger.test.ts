import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrate } from '../../src/drivers/sql-database/migrator.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { PgliteSqlDatabase } from '../../src/drivers/sql-database/sql-database.pglite.ts';
import { PostgresSqlDatabase } from '../../src/drivers/sql-database/sql-database.postgres.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { canRun, postgresPrograms } from '../support/required-programs.ts';
import { claimsContract } from './claims.contract.ts';
import { ledgerCallsContract } from './ledger-calls.contract.ts';
import { ledgerMessagesContract } from './ledger-messages.contract.ts';
import { payloadCleanerContract } from './payload-cleaner.contract.ts';
import { stageBacklogContract } from './stage-backlog.contract.ts';

describe('PGlite', () => {
  let database: SqlDatabase;
  beforeAll(async () => {
    database = await PgliteSqlDatabase.open();
    await migrate(database);
  });
  afterAll(() => database.close());
  ledgerMessagesContract('PGlite', () => Promise.resolve(database));
  ledgerCallsContract('PGlite', () => Promise.resolve(database));
  claimsContract('PGlite', () => Promise.resolve(database));
  stageBacklogContract('PGlite', () => Promise.resolve(database));
  payloadCleanerContract('PGlite', () => Promise.resolve(database));
});

describe.skipIf(!canRun(postgresPrograms()))('PostgreSQL', () => {
  let server: PostgresServer;
  let database: SqlDatabase;
  beforeAll(async () => {
    server = await PostgresServer.start();
    database = await PostgresSqlDatabase.open({
      connectionString: await server.createDatabase('ledger'),
      poolSize: 6,
      statementTimeoutMs: 10_000,
      applicationName: 'ledger-contract',
    });
    await migrate(database);
  });
  afterAll(async () => {
    await database.close();
    await server.stop();
  });
  ledgerMessagesContract('PostgreSQL', () => Promise.resolve(database));
  ledgerCallsContract('PostgreSQL', () => Promise.resolve(database));
  claimsContract('PostgreSQL', () => Promise.resolve(database));
  stageBacklogContract('PostgreSQL', () => Promise.resolve(database));
  payloadCleanerContract('PostgreSQL', () => Promise.resolve(database));

  it('never compiles a statement of milliseconds for seconds', async () => {
    const { rows } = await database.query({ name: 'test.jit', text: 'show jit' });
    expect(rows).toEqual([{ jit: 'off' }]);
  });
});
