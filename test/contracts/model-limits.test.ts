import { afterAll, beforeAll, describe } from 'vitest';
import { migrate } from '../../src/drivers/sql-database/migrator.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { PgliteSqlDatabase } from '../../src/drivers/sql-database/sql-database.pglite.ts';
import { PostgresSqlDatabase } from '../../src/drivers/sql-database/sql-database.postgres.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { canRun, postgresPrograms } from '../support/required-programs.ts';
import { modelLimitsContract } from './model-limits.contract.ts';

describe('PGlite', () => {
  let database: SqlDatabase;
  beforeAll(async () => {
    database = await PgliteSqlDatabase.open();
    await migrate(database);
  });
  afterAll(() => database.close());
  modelLimitsContract('PGlite', () => Promise.resolve(database));
});

describe.skipIf(!canRun(postgresPrograms()))('PostgreSQL', () => {
  let server: PostgresServer;
  let database: SqlDatabase;
  beforeAll(async () => {
    server = await PostgresServer.start();
    database = await PostgresSqlDatabase.open({
      connectionString: await server.createDatabase('limits'),
      poolSize: 6,
      statementTimeoutMs: 10_000,
      applicationName: 'limits-contract',
    });
    await migrate(database);
  });
  afterAll(async () => {
    await database.close();
    await server.stop();
  });
  modelLimitsContract('PostgreSQL', () => Promise.resolve(database));
});
