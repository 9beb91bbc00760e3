import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { migrateColumnStore, pendingColumnMigrations } from '../drivers/column-store/column-migrator.ts';
import type { ColumnStore } from '../drivers/column-store/column-store.ts';
import { migrate, pendingMigrations } from '../drivers/sql-database/migrator.ts';
import type { SqlDatabase } from '../drivers/sql-database/sql-database.ts';
import { AppError } from '../kernel/app-error.ts';
import type { Clock } from '../kernel/clock.ts';
import type { StageNotifications } from '../terminal/installation.ts';
import type { Configuration } from './configuration.ts';
import { OperatorAccess } from './operator-access.ts';
import { clusterOf } from './stores.ts';

/** What an operator's command looks at. */
export interface OperatorStores {
  readonly database: SqlDatabase;
  readonly columns: ColumnStore;
  /** The ledger's time. */
  readonly clock: Clock;
  /** Whether the embedded ledger is this process's alone. */
  readonly isAlone: boolean;
  /** The queues; undefined where none runs. */
  readonly notifications: () => Promise<StageNotifications | undefined>;
}

/** What migrations are applied to. */
export type MigratedStores = Pick<OperatorStores, 'database' | 'columns'>;

/**
 * Ledger and column store for one piece of work: opened for it, or lent by the host that has them open. Throws what
 * opening throws, MILLRACE_DATA_IN_USE among it.
 */
export function withOperatorStores<Result>(
  configuration: Configuration,
  work: (stores: OperatorStores) => Promise<Result>,
): Promise<Result> {
  return OperatorAccess.during(configuration, async (access) =>
    work({
      database: access.database,
      columns: await access.columns(),
      clock: access.clock,
      isAlone: access.isAlone,
      notifications: () => access.notifications(),
    }),
  );
}

/**
 * The same for work on what is already there: throws MILLRACE_DATA_NOT_FOUND and MILLRACE_SCHEMA_OUTDATED instead of
 * making stores that nobody asked for.
 */
export async function withExistingStores<Result>(
  configuration: Configuration,
  work: (stores: OperatorStores) => Promise<Result>,
): Promise<Result> {
  requireData(configuration);
  return withOperatorStores(configuration, async (stores) => {
    const pending = await listPendingMigrations(stores);
    if (pending.length > 0) {
      throw new AppError('MILLRACE_SCHEMA_OUTDATED', `Not applied yet: ${pending.join(', ')}.`);
    }
    return work(stores);
  });
}

/** Throws MILLRACE_DATA_NOT_FOUND when opening would make an embedded ledger that was not there. */
export function requireData({ ledger, dataDirectory }: Configuration): void {
  const directory = resolve(dataDirectory);
  if (ledger.url !== undefined || existsSync(join(directory, 'ledger'))) return;
  throw new AppError('MILLRACE_DATA_NOT_FOUND', `There is no ledger in ${directory}.`);
}

/** What is not applied yet, as "postgres/…" and "clickhouse/…". */
export async function listPendingMigrations({
  database,
  columns,
}: MigratedStores): Promise<readonly string[]> {
  return migrationNames(await pendingMigrations(database), await pendingColumnMigrations(columns));
}

/** The ledger's alone, as "postgres/…": for when the column store is away or not needed. */
export async function listPendingLedgerMigrations(database: SqlDatabase): Promise<readonly string[]> {
  return migrationNames(await pendingMigrations(database), []);
}

/** Applies what is not applied yet, and answers the names. */
export async function applyMigrations(
  { database, columns }: MigratedStores,
  configuration: Configuration,
): Promise<readonly string[]> {
  return migrationNames(await migrate(database), await migrateColumnStore(columns, clusterOf(configuration)));
}

function migrationNames(ledger: readonly string[], usage: readonly string[]): readonly string[] {
  return [...ledger.map((name) => `postgres/${name}`), ...usage.map((name) => `clickhouse/${name}`)];
}
