import { afterAll, beforeAll, describe } from 'vitest';
import { migrate } from '../../src/drivers/sql-database/migrator.ts';
import { PgliteSqlDatabase } from '../../src/drivers/sql-database/sql-database.pglite.ts';
import { PostgresSqlDatabase } from '../../src/drivers/sql-database/sql-database.postgres.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { canRun, postgresPrograms } from '../support/required-programs.ts';
import { budgetsContract } from './budgets.contract.ts';

describe('PGlite', () => {
  let database: SqlDatabase;
  beforeAll(async () => {
    database = await PgliteSqlDatabase.open();
    await migrate(database);
  });
  afterAll(() => database.close());
  budgetsContract('PGlite', () => Promise.resolve(database));
});

describe.skipIf(!canRun(postgresPrograms()))('PostgreSQL', () => {
  let server: PostgresServer;
  let database: SqlDatabase;
  beforeAll(async () => {
    server = await PostgresServer.start();
    database = await PostgresSqlDatabase.open({
      connectionString: await server.createDatabase('budgets'),
      poolSize: 6,
      statementTimeoutMs: 10_000,
      applicationName: 'budgets-contract',
    });
    await migrate(database);
  });
  afterAll(async () => {
    await database.close();
    await server.stop();
  });
  budgetsContract('PostgreSQL', () => Promise.resolve(database));
});
