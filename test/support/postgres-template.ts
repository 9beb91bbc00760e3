import { createHash } from 'node:crypto';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { migrate, postgresMigrations } from '../../src/drivers/sql-database/migrator.ts';
import { PostgresSqlDatabase } from '../../src/drivers/sql-database/sql-database.postgres.ts';
import {
  administer,
  connectionStringOf,
  launchPostgres,
  makeServerDirectory,
  runAsServer,
  untilPostgresAnswers,
} from './postgres-process.ts';
import { directoryOf, postgresPrograms } from './required-programs.ts';
import { freePort } from './server-process.ts';

/*
 * An initialised data directory, made once a machine for each set of migrations, and copied for each server. It has a database
 * with the migrations of the ledger, of which others are copies: they take half a second of processor time.
 */

/** The database that has the migrations; nobody stays connected to it. */
export const migratedDatabase = 'millrace_migrated';

/** Where files stay from run to run, which a folder of temporary files in memory is not. */
const kept = existsSync('/var/tmp') ? '/var/tmp' : tmpdir();

/** The directory to copy. */
export async function postgresTemplate(): Promise<string> {
  const programs = directoryOf(postgresPrograms());
  const version = basename(dirname(programs));
  const name = `millrace-postgres-template-${version}-${process.getuid?.() ?? 0}-${await migrationsDigest()}`;
  const path = join(kept, name);
  if (existsSync(path)) return path;
  const home = makeServerDirectory('millrace-postgres-draft-', kept);
  try {
    const data = join(home, 'data');
    runAsServer(join(programs, 'initdb'), [
      '--pgdata',
      data,
      '--username=postgres',
      '--auth=trust',
      '--encoding=UTF8',
      '--locale=C.UTF-8',
      '--no-sync',
    ]);
    await addMigratedDatabase(home);
    renameSync(data, path);
  } catch (error) {
    // Another test process may have been quicker; its template is as good.
    if (!existsSync(path)) throw error;
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
  return path;
}

async function addMigratedDatabase(home: string): Promise<void> {
  const port = await freePort();
  const server = launchPostgres({ home, port, settings: { fsync: 'off' } });
  try {
    await untilPostgresAnswers(server, port);
    await administer(connectionStringOf(port, 'postgres'), `create database ${migratedDatabase}`);
    const database = await PostgresSqlDatabase.open({
      connectionString: connectionStringOf(port, migratedDatabase),
      poolSize: 1,
      statementTimeoutMs: 60_000,
      applicationName: 'template',
    });
    try {
      await migrate(database);
    } finally {
      await database.close();
    }
  } finally {
    // Writes all to its files, so that a copy has nothing to recover.
    await server.end('SIGINT');
  }
}

async function migrationsDigest(): Promise<string> {
  const hash = createHash('sha256');
  for (const { name, digest } of await postgresMigrations()) hash.update(`${name} ${digest}\n`);
  return hash.digest('hex').slice(0, 16);
}
