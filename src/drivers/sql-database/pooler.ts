import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { pooled } from './sql-error.ts';

/*
 * Poolers between a process and PostgreSQL. One in session mode is as good as none. One in transaction mode gives each
 * transaction to whichever of the server's sessions is free: what a session remembers (prepared statements, settings, what it
 * listens to) is lost, or another's. So it is looked for at the start, by what it does, since none says what it is:
 *
 *   1. A server tells each connection the process id of its session. If the session has another, somebody is in between.
 *   2. A note that one connection leaves in its session is then seen by another, or not seen again by itself.
 */

/** Throws MILLRACE_DATABASE_POOLED when a pooler in transaction mode stands before the server. */
export async function refuseTransactionPooler(config: pg.ClientConfig, whatToDo: string): Promise<void> {
  const first = await connected(config);
  try {
    if (!(await isPooled(first))) return;
    const second = await connected(config);
    try {
      if (!(await sharesSessions(first, second))) return;
    } finally {
      await second.end();
    }
  } finally {
    await first.end();
  }
  throw pooled('A pooler in transaction mode stands before PostgreSQL', whatToDo);
}

async function connected(config: pg.ClientConfig): Promise<pg.Client> {
  const client = new pg.Client(config);
  // A connection that breaks fails its statement; its event must not end the process.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

async function isPooled(client: pg.Client): Promise<boolean> {
  const told: unknown = Reflect.get(client, 'processID');
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  return rows[0]?.pid !== told;
}

const note = 'millrace.pooler_note';

async function sharesSessions(first: pg.Client, second: pg.Client): Promise<boolean> {
  const text = randomUUID();
  await first.query('select set_config($1, $2, false)', [note, text]);
  // A transaction keeps a session to itself: the first connection gets another one meanwhile, if it has none of its own.
  await second.query('begin');
  try {
    if ((await noteOf(second)) === text) return true;
    return (await noteOf(first)) !== text;
  } finally {
    await second.query('rollback');
  }
}

async function noteOf(client: pg.Client): Promise<string | null | undefined> {
  const { rows } = await client.query<{ text: string | null }>('select current_setting($1, true) as text', [
    note,
  ]);
  return rows[0]?.text;
}
