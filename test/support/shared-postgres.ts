import { randomUUID } from 'node:crypto';
import { inject } from 'vitest';
import { PostgresServer } from './postgres-server.ts';

/*
 * One PostgreSQL for all tests of a process, started by the first that needs it: a server of its own costs a file more than a second of
 * processor time. It ends with the process. Nobody stops it, changes its settings, breaks others' connections or looks at what
 * others have in it: a test that does has a server of its own.
 */

const shared = process as { millraceTestsPostgres?: Promise<PostgresServer> };

/** A new database with the migrations of the ledger, and nothing else in it; answers how to reach it. */
export async function newLedger(): Promise<string> {
  shared.millraceTestsPostgres ??= start();
  const server = await shared.millraceTestsPostgres;
  return await server.createLedger(`ledger_${randomUUID()}`);
}

async function start(): Promise<PostgresServer> {
  const server = await PostgresServer.start({
    parent: inject('sharedServers'),
    settings: { max_connections: '200' },
  });
  server.unref();
  return server;
}
