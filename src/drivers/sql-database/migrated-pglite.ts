import { createHash } from 'node:crypto';
import { migrate, postgresMigrations } from './migrator.ts';
import { hasMigratedTemplate, keepMigratedTemplate, readMigratedTemplate } from './pglite-template.ts';
import { PgliteSqlDatabase } from './sql-database.pglite.ts';

/**
 * Opens a new ledger database in memory, with all migrations: a copy of the template, which the first one makes. The process keeps
 * the template (some 40 MB) once it was read: who opens a database for a test opens the next one for another.
 */
export async function openMigratedPglite(): Promise<PgliteSqlDatabase> {
  return await PgliteSqlDatabase.open({ archive: () => (reading ??= readArchive()) });
}

let reading: Promise<Buffer<ArrayBuffer>> | undefined;

async function readArchive(): Promise<Buffer<ArrayBuffer>> {
  try {
    return await migratedArchive();
  } catch (error) {
    // The next one tries anew.
    reading = undefined;
    throw error;
  }
}

/** What a new ledger database is a copy of: the template with all migrations, which the first one makes. */
export async function migratedArchive(): Promise<Buffer<ArrayBuffer>> {
  await makeMigratedPglite();
  return await readMigratedTemplate(await migrationsDigest());
}

/** Makes that template, if it is not there yet. Part of the build. */
export async function makeMigratedPglite(): Promise<void> {
  const digest = await migrationsDigest();
  if (hasMigratedTemplate(digest)) return;
  const database = await PgliteSqlDatabase.make();
  try {
    await migrate(database);
    await keepMigratedTemplate(digest, await database.dump());
  } finally {
    await database.close();
  }
}

async function migrationsDigest(): Promise<string> {
  const migrations = await postgresMigrations();
  const hash = createHash('sha256');
  for (const { name, digest } of migrations) hash.update(`${name} ${digest}\n`);
  return hash.digest('hex').slice(0, 16);
}
