import { createHash } from 'node:crypto';
import { migrate, postgresMigrations } from './migrator.ts';
import { makeMigratedTemplate, migratedArchive } from './pglite-template.ts';
import { PgliteSqlDatabase } from './sql-database.pglite.ts';

/**
 * Opens a new ledger database in memory, with all migrations: a copy of the template, which the first one makes. The process keeps
 * the template (some 40 MB) once it was read: who opens a database for a test opens the next one for another.
 */
export async function openMigratedPglite(): Promise<PgliteSqlDatabase> {
  reading ??= readArchive();
  const archive = await reading;
  const database = await PgliteSqlDatabase.open(archive === undefined ? {} : { archive });
  if (archive === undefined) await migrate(database);
  return database;
}

let reading: Promise<Buffer<ArrayBuffer> | undefined> | undefined;

async function readArchive(): Promise<Buffer<ArrayBuffer> | undefined> {
  try {
    await makeMigratedPglite();
    return await migratedArchive(await migrationsDigest());
  } catch (error) {
    // The next one tries anew.
    reading = undefined;
    throw error;
  }
}

/** Makes that template, if it is not there yet. Part of the build. */
export async function makeMigratedPglite(): Promise<void> {
  await makeMigratedTemplate(await migrationsDigest(), async () => {
    const database = await PgliteSqlDatabase.open();
    try {
      await migrate(database);
      return await database.dump();
    } finally {
      await database.close();
    }
  });
}

async function migrationsDigest(): Promise<string> {
  const migrations = await postgresMigrations();
  const hash = createHash('sha256');
  for (const { name, digest } of migrations) hash.update(`${name} ${digest}\n`);
  return hash.digest('hex').slice(0, 16);
}
