import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../kernel/app-error.ts';
import { invariant } from '../../kernel/invariant.ts';
import { packageRoot } from '../../kernel/package-root.ts';
import type { SqlDatabase, SqlExecutor } from './sql-database.ts';

/*
 * Migrations go forward only and never change once applied. Each runs in one transaction together with its
 * record, under an advisory lock, so that a crash leaves it applied and recorded, or neither, and two processes
 * that start at once apply it once.
 */

const fileName = /^\d{4}-[a-z0-9-]+\.sql$/;

/** A migration's file. */
export interface SqlMigration {
  readonly name: string;
  readonly script: string;
  readonly digest: string;
}

const lock = {
  name: 'migrations.lock',
  text: `select pg_advisory_xact_lock(hashtextextended('millrace.migrations', 0))`,
};
const findTable = {
  name: 'migrations.find-table',
  text: `select to_regclass('millrace.migrations') is not null as present`,
};
const listApplied = {
  name: 'migrations.list-applied',
  text: 'select name, digest from millrace.migrations order by name',
};
const record = {
  name: 'migrations.record',
  text: 'insert into millrace.migrations (name, digest) values ($1, $2)',
};
const createTable = `
  create schema if not exists millrace;
  create table if not exists millrace.migrations (
    name       text primary key,
    digest     text not null,
    applied_at timestamptz not null default now()
  );`;

/** Where the package keeps its PostgreSQL migrations. */
function postgresMigrationsDirectory(): string {
  return join(packageRoot(), 'postgres', 'migrations');
}

/** The migrations of the ledger's database, in order. */
export async function postgresMigrations(): Promise<readonly SqlMigration[]> {
  return await readMigrations(postgresMigrationsDirectory());
}

/**
 * Applies what is not yet applied of `directory`'s files `NNNN-name.sql`, in order, and answers their names.
 * Throws MILLRACE_MIGRATION_CHANGED if an applied file has changed.
 */
export async function migrate(
  database: SqlDatabase,
  directory: string = postgresMigrationsDirectory(),
): Promise<readonly string[]> {
  const migrations = await readMigrations(directory);
  const applied: string[] = [];
  for (;;) {
    const name = await database.transaction((transaction) => applyNext(transaction, migrations));
    if (name === undefined) return applied;
    applied.push(name);
  }
}

/** The names of the migrations in `directory` that the database does not have yet, in order. */
export async function pendingMigrations(
  database: SqlDatabase,
  directory: string = postgresMigrationsDirectory(),
): Promise<readonly string[]> {
  const migrations = await readMigrations(directory);
  return pendingOf(migrations, await appliedOf(database)).map((migration) => migration.name);
}

async function applyNext(
  transaction: SqlExecutor,
  migrations: readonly SqlMigration[],
): Promise<string | undefined> {
  await transaction.query(lock);
  await transaction.execute(createTable);
  const [next] = pendingOf(migrations, await appliedOf(transaction));
  if (next === undefined) return undefined;
  await transaction.execute(next.script);
  await transaction.query(record, [next.name, next.digest]);
  return next.name;
}

async function appliedOf(database: SqlExecutor): Promise<ReadonlyMap<string, string>> {
  const { rows: tables } = await database.query<{ present: boolean }>(findTable);
  if (tables[0]?.present !== true) return new Map();
  const { rows } = await database.query<{ name: string; digest: string }>(listApplied);
  return new Map(rows.map((row) => [row.name, row.digest]));
}

// A newer database than these files is no fault (an older process beside a newer one): only what both know must agree.
function pendingOf(
  migrations: readonly SqlMigration[],
  applied: ReadonlyMap<string, string>,
): readonly SqlMigration[] {
  for (const migration of migrations) {
    const digest = applied.get(migration.name);
    if (digest !== undefined && digest !== migration.digest) {
      throw new AppError(
        'MILLRACE_MIGRATION_CHANGED',
        `The migration ${migration.name} was applied with digest ${digest} but is now ${migration.digest}.`,
      );
    }
  }
  return migrations.filter((migration) => !applied.has(migration.name));
}

async function readMigrations(directory: string): Promise<readonly SqlMigration[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.sql')).toSorted();
  return await Promise.all(
    names.map(async (name) => {
      invariant(fileName.test(name), `the migration ${name} is named NNNN-name.sql`);
      const script = await readFile(join(directory, name), 'utf8');
      return { name, script, digest: createHash('sha256').update(script).digest('hex') };
    }),
  );
}
