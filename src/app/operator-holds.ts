import { pendingMigrations } from '../drivers/sql-database/migrator.ts';
import { AppError } from '../kernel/app-error.ts';
import { systemClock } from '../kernel/clock.ts';
import { Holds } from '../ledger/holds.ts';
import { HoldOffice } from '../operations/hold-office.ts';
import type { Configuration } from './configuration.ts';
import { requireData } from './operator-stores.ts';
import { openDatabase } from './stores.ts';

/**
 * Holds in an operator's command. Only the ledger is opened: work can be stopped while every other store is away. Throws
 * MILLRACE_DATA_NOT_FOUND, MILLRACE_DATA_IN_USE and MILLRACE_SCHEMA_OUTDATED.
 */
export async function withHoldOffice<Result>(
  configuration: Configuration,
  work: (office: HoldOffice) => Promise<Result>,
): Promise<Result> {
  requireData(configuration);
  const database = await openDatabase(configuration, 'command');
  try {
    const pending = await pendingMigrations(database);
    if (pending.length > 0) {
      throw new AppError('MILLRACE_SCHEMA_OUTDATED', `Not applied yet: ${pending.join(', ')}.`);
    }
    return await work(new HoldOffice(new Holds({ database, clock: systemClock })));
  } finally {
    await database.close();
  }
}
