import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { migrate, postgresMigrations } from '../../src/drivers/sql-database/migrator.ts';
import { PgliteSqlDatabase } from '../../src/drivers/sql-database/sql-database.pglite.ts';
import { packageRoot } from '../../src/kernel/package-root.ts';

/*
 * The migrations take PGlite two seconds of processor time in a new process. They are applied to one directory, and the ledgers
 * of hosts are copies of it. It is named by what it was made of, so that one of another time is passed over.
 */

const templates = join(packageRoot(), 'node_modules', '.cache', 'millrace-ledgers');
/** What of a ledger's directory is copied: not the lock of the process that has it. */
const data = 'pgdata';

/** Gives a host's ledger, in a directory that is not there yet, all migrations. */
export async function copyMigratedLedger(directory: string): Promise<void> {
  const template = join(templates, await digest());
  if (!existsSync(template)) await makeTemplate(template);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  cpSync(join(template, data), join(directory, data), { recursive: true });
}

async function makeTemplate(template: string): Promise<void> {
  mkdirSync(templates, { recursive: true });
  const draft = mkdtempSync(join(templates, 'draft-'));
  const database = await PgliteSqlDatabase.open({ dataDirectory: draft });
  try {
    await migrate(database);
    await database.execute('checkpoint');
  } finally {
    await database.close();
  }
  try {
    renameSync(draft, template);
  } catch (error) {
    // Another process was quicker; its template is as good.
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(template)) throw error;
  }
}

/** Of the migrations and of the engine. */
async function digest(): Promise<string> {
  const hash = createHash('sha256');
  for (const { name, digest: content } of await postgresMigrations()) hash.update(`${name} ${content}\n`);
  hash.update(readFileSync(join(packageRoot(), 'node_modules', '@electric-sql', 'pglite', 'package.json')));
  return hash.digest('hex').slice(0, 16);
}
