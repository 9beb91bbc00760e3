import type pg from 'pg';

/**
 * Lets the process outlive its connections. The pool forgets an idle connection that is lost, and says so in an event;
 * one that is lent out says it itself. Such an event that nobody hears ends the process, and borrowers that are not
 * ours do not always listen. A query on a lost connection fails by itself.
 */
export function hearLosses(pool: pg.Pool): void {
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
}
