import { afterAll, beforeAll, describe } from 'vitest';
import { openMigratedPglite } from '../../src/drivers/sql-database/migrated-pglite.ts';
import { migrate } from '../../src/drivers/sql-database/migrator.ts';
import { PostgresSqlDatabase } from '../../src/drivers/sql-database/sql-database.postgres.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { PostgresServer } from './postgres-server.ts';
import { canRun, postgresPrograms } from './required-programs.ts';

/** What is promised whichever database the ledger is on. All tests of a contract share one ledger. */
type LedgerContract = (database: string, open: () => Promise<SqlDatabase>) => void;

/** Holds contracts to their word on a PGlite, and on a PostgreSQL where this machine has one. */
export function onEachLedger(...contracts: readonly LedgerContract[]): void {
  describe('PGlite', () => {
    let database: SqlDatabase;
    beforeAll(async () => {
      database = await openMigratedPglite();
    });
    afterAll(() => database.close());
    const open = () => Promise.resolve(database);
    for (const contract of contracts) contract('PGlite', open);
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
        applicationName: 'contract',
      });
      await migrate(database);
    });
    afterAll(async () => {
      await database.close();
      await server.stop();
    });
    const open = () => Promise.resolve(database);
    for (const contract of contracts) contract('PostgreSQL', open);
  });
}
