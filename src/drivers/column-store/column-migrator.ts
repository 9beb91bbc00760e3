import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../kernel/app-error.ts';
import { invariant } from '../../kernel/invariant.ts';
import { packageRoot } from '../../kernel/package-root.ts';
import type { ColumnStore } from './column-store.ts';
import { removeOutdatedPartsSoon } from './outdated-parts.ts';

/*
 * Brings ClickHouse to the newest schema: the files of clickhouse/migrations in the order of their names, each once.
 * ClickHouse has no transactional DDL, so every statement is idempotent: a run that died half-way, or two at once,
 * end in the same schema. What was applied is listed in ClickHouse itself, with each file's digest; a file that
 * changed after it was applied is refused. One text serves a single server and a cluster by its placeholders.
 */

export interface ColumnMigratorOptions {
  /** The name of a ClickHouse cluster; absent: one server, or chDB. */
  readonly cluster?: string;
  /** Where the migrations lie; the package's own by default. */
  readonly directory?: string;
}

interface ColumnMigration {
  readonly name: string;
  readonly text: string;
  readonly digest: string;
}

/** Insert blocks that a table remembers in order to drop a repeated one; also written in the migrations' text. */
const deduplicationWindowBlocks = 10_000;

const fileName = /^\d{4}-[a-z0-9-]+\.sql$/;

/** Applies what is not yet applied and returns the names, in order. */
export async function migrateColumnStore(
  store: ColumnStore,
  options: ColumnMigratorOptions = {},
): Promise<readonly string[]> {
  const done = await applyMigrations(store, options);
  if (store.kind === 'chdb') await removeOutdatedPartsSoon(store);
  return done;
}

async function applyMigrations(
  store: ColumnStore,
  options: ColumnMigratorOptions,
): Promise<readonly string[]> {
  const migrations = await readMigrations(
    options.directory ?? join(packageRoot(), 'clickhouse', 'migrations'),
  );
  // A user without the rights to change anything may start too, as long as there is nothing to change.
  if (isUpToDate(migrations, await knownDigests(store))) return [];
  const render = (text: string): string => renderMigration(text, store.database, options.cluster);
  for (const statement of bookkeeping) await store.command(render(statement));

  const applied = await appliedDigests(store);
  const done: string[] = [];
  for (const migration of migrations) {
    const digest = applied.get(migration.name);
    if (digest === migration.digest) continue;
    if (digest !== undefined) {
      throw new AppError(
        'MILLRACE_MIGRATION_CHANGED',
        `The ClickHouse migration ${migration.name} is not the text that was applied; add a new file instead.`,
      );
    }
    for (const statement of splitStatements(render(migration.text))) await store.command(statement);
    await store.insert({
      table: 'schema_migrations',
      lines: `${JSON.stringify({ name: migration.name, digest: migration.digest })}\n`,
      deduplicationToken: migration.digest,
    });
    done.push(migration.name);
  }
  return done;
}

/** The names of the migrations that the store does not have yet, in order. Changes nothing. */
export async function pendingColumnMigrations(
  store: ColumnStore,
  directory: string = join(packageRoot(), 'clickhouse', 'migrations'),
): Promise<readonly string[]> {
  const applied = await knownDigests(store);
  const migrations = await readMigrations(directory);
  return migrations.filter(({ name }) => !applied.has(name)).map(({ name }) => name);
}

/** What was applied; nothing where no migration ever was. */
async function knownDigests(store: ColumnStore): Promise<ReadonlyMap<string, string>> {
  const tables = await store.query(
    `SELECT name FROM system.tables WHERE database = {database:String} AND name = 'schema_migrations'`,
    { database: store.database },
  );
  return tables.length === 0 ? new Map() : await appliedDigests(store);
}

function isUpToDate(migrations: readonly ColumnMigration[], applied: ReadonlyMap<string, string>): boolean {
  return migrations.every(({ name, digest }) => applied.get(name) === digest);
}

const bookkeeping = [
  'CREATE DATABASE IF NOT EXISTS {{database}} {{on_cluster}}',
  `CREATE TABLE IF NOT EXISTS {{database}}.schema_migrations {{on_cluster}} (
    name String,
    digest String,
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
  ) ENGINE = {{engine:ReplacingMergeTree}} ORDER BY name`,
];

async function readMigrations(directory: string): Promise<ColumnMigration[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.sql')).toSorted();
  return Promise.all(
    names.map(async (name) => {
      invariant(fileName.test(name), `${name} is named like 0001-what-it-does.sql`);
      const text = await readFile(join(directory, name), 'utf8');
      return { name, text, digest: createHash('sha256').update(text).digest('hex') };
    }),
  );
}

async function appliedDigests(store: ColumnStore): Promise<ReadonlyMap<string, string>> {
  const rows = await store.query<{ name: string; digest: string }>(
    `SELECT name, digest FROM ${store.database}.schema_migrations ORDER BY applied_at, name`,
  );
  return new Map(rows.map((row) => [row.name, row.digest]));
}

const clusterName = /^[A-Za-z_][\w.-]*$/;
const placeholder = /\{\{(?<name>[a-z_]+)(?::(?<argument>[^{}]+))?\}\}/g;

/** Fills the placeholders of a migration, which clickhouse/README.md lists. */
export function renderMigration(text: string, database: string, cluster: string | undefined): string {
  invariant(cluster === undefined || clusterName.test(cluster), `"${cluster}" is a cluster name`);
  return text.replaceAll(placeholder, (whole, name: string, argument: string | undefined) => {
    if (name === 'database') return database;
    if (name === 'on_cluster') return cluster === undefined ? '' : `ON CLUSTER '${cluster}'`;
    if (name === 'deduplication') return deduplicationSettings(cluster !== undefined);
    invariant(
      name === 'engine' && argument !== undefined,
      `${whole} is a placeholder that the migrator knows`,
    );
    return cluster === undefined ? argument : `Replicated${argument}`;
  });
}

// A cluster also forgets by time, after an hour by default; a server does not.
function deduplicationSettings(isReplicated: boolean): string {
  return isReplicated
    ? `replicated_deduplication_window = ${deduplicationWindowBlocks}, replicated_deduplication_window_seconds = 604800`
    : `non_replicated_deduplication_window = ${deduplicationWindowBlocks}`;
}

/** The statements of a migration: each ends with a semicolon at the end of its line. */
export function splitStatements(text: string): readonly string[] {
  return text
    .replaceAll(/^\s*--.*$/gm, '')
    .split(/;\s*$/m)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');
}
