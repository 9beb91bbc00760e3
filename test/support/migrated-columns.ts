import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrateColumnStore } from '../../src/drivers/column-store/column-migrator.ts';
import { type ChdbOptions, openChdb } from '../../src/drivers/column-store/column-store.clickhouse.ts';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import { packageRoot } from '../../src/kernel/package-root.ts';
import { copyMigratedLedger } from './migrated-ledger.ts';

/*
 * The migrations take chDB a second of processor time, most of it to check the projections at every change of a table. They
 * are applied to one directory, and the directories of tests are copies of it. It is named by what it was made of, so that one of
 * another time is passed over.
 */

const templates = join(packageRoot(), 'node_modules', '.cache', 'millrace-chdb');

/** The name that a host gives its database unless it is told another. */
const hostDatabase = 'millrace';

/** A new column store on chDB with all migrations, in a directory that is empty or not there. */
export async function openMigratedColumns(options: ChdbOptions): Promise<ColumnStore> {
  await copyMigratedColumns(options);
  const store = await openChdb(options);
  // Nothing is left to do, which is found out as at any start.
  await migrateColumnStore(store);
  return store;
}

/** A new temporary directory for the data of a host, as `fillHostDirectory` fills it. */
export async function newHostDirectory(prefix: string): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), prefix));
  await fillHostDirectory(directory);
  return directory;
}

/**
 * Gives the embedded stores of a host, in a directory without any, the migrations. Not while the process has a chDB open: it can
 * have one only.
 */
export async function fillHostDirectory(directory: string): Promise<void> {
  await fillColumnsDirectory(join(directory, 'usage'));
  await copyMigratedLedger(join(directory, 'ledger'));
}

/** Gives the column store of hosts, in a directory that is empty or not there, the migrations; under the same condition. */
export async function fillColumnsDirectory(directory: string): Promise<void> {
  await copyMigratedColumns({ directory, database: hostDatabase });
}

async function copyMigratedColumns({ directory, database }: ChdbOptions): Promise<void> {
  const template = join(templates, `${database}-${digest()}`);
  if (!existsSync(template)) await makeTemplate(template, database);
  // Links stay relative: an absolute one would lead into the template.
  cpSync(template, directory, { recursive: true, verbatimSymlinks: true });
}

async function makeTemplate(template: string, database: string): Promise<void> {
  mkdirSync(templates, { recursive: true });
  const draft = mkdtempSync(join(templates, 'draft-'));
  const store = await openChdb({ directory: draft, database });
  await migrateColumnStore(store);
  await store.close();
  try {
    renameSync(draft, template);
  } catch (error) {
    // Another process was quicker; its template is as good.
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(template)) throw error;
  }
}

/** Of the migrations, of what the driver does after them, and of the engine. */
function digest(): string {
  const migrations = join(packageRoot(), 'clickhouse', 'migrations');
  const files = [
    ...readdirSync(migrations)
      .toSorted()
      .map((name) => join(migrations, name)),
    join(packageRoot(), 'src', 'drivers', 'column-store', 'outdated-parts.ts'),
    join(packageRoot(), 'node_modules', 'chdb', 'package.json'),
  ];
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest('hex').slice(0, 16);
}
