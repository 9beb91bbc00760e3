import { pendingMigrations } from '../drivers/sql-database/migrator.ts';
import type { SqlDatabase } from '../drivers/sql-database/sql-database.ts';
import { AppError } from '../kernel/app-error.ts';
import type { Configuration } from './configuration.ts';
import { OperatorAccess } from './operator-access.ts';
import { requireData } from './operator-stores.ts';

/**
 * The ledger alone for an operator's command, which works while every other store is away, and beside a running host.
 * Whatever else the work needs it asks the access for. Throws MILLRACE_DATA_NOT_FOUND, MILLRACE_DATA_IN_USE and
 * MILLRACE_SCHEMA_OUTDATED.
 */
export async function withExistingLedger<Result>(
  configuration: Configuration,
  work: (database: SqlDatabase, access: OperatorAccess) => Promise<Result>,
): Promise<Result> {
  requireData(configuration);
  return OperatorAccess.during(configuration, async (access) => {
    const { database } = access;
    const pending = await pendingMigrations(database);
    if (pending.length > 0) {
      throw new AppError('MILLRACE_SCHEMA_OUTDATED', `Not applied yet: ${pending.join(', ')}.`);
    }
    return work(database, access);
  });
}
