import { afterAll, beforeAll, describe } from 'vitest';
import { openMigratedPglite } from '../../src/drivers/sql-database/migrated-pglite.ts';
import { PostgresSqlDatabase } from '../../src/drivers/sql-database/sql-database.postgres.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { canRun, postgresPrograms } from './required-programs.ts';
import { newLedger } from './shared-postgres.ts';
import { isFullDepth } from './test-depth.ts';

/** What is promised whichever database the ledger is on. All tests of a contract share one ledger. */
type LedgerContract = (database: string, open: () => Promise<SqlDatabase>) => void;

/** Holds contracts to their word on a PGlite, and on a PostgreSQL where this machine has one. */
export function onEachLedger(...contracts: readonly LedgerContract[]): void {
  onPglite(contracts);
  onPostgres(contracts);
}

/** Where the ledger is only a part of what is tested, and its statements have contracts of their own: on PGlite, in full on both. */
export function onUsualLedger(...contracts: readonly LedgerContract[]): void {
  onPglite(contracts);
  if (isFullDepth) onPostgres(contracts);
}

function onPglite(contracts: readonly LedgerContract[]): void {
  describe('PGlite', () => {
    let database: SqlDatabase;
    beforeAll(async () => {
      database = await openMigratedPglite();
    });
    afterAll(() => database.close());
    const open = () => Promise.resolve(database);
    for (const contract of contracts) contract('PGlite', open);
  });
}

function onPostgres(contracts: readonly LedgerContract[]): void {
  describe.skipIf(!canRun(postgresPrograms()))('PostgreSQL', () => {
    let database: SqlDatabase;
    beforeAll(async () => {
      database = await PostgresSqlDatabase.open({
        connectionString: await newLedger(),
        poolSize: 6,
        statementTimeoutMs: 10_000,
        applicationName: 'contract',
      });
    });
    afterAll(() => database.close());
    const open = () => Promise.resolve(database);
    for (const contract of contracts) contract('PostgreSQL', open);
  });
}
