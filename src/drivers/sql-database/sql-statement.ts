import type { SqlStatement } from './sql-database.ts';

/** A statement and its name, by which databases prepare it: no other statement of the program has that name. */
export function named(name: string, text: string): SqlStatement {
  return { name, text };
}

/** The same, for a statement that is planned once a session, see SqlStatement. */
export function plannedOnce(name: string, text: string): SqlStatement {
  return { name, text, plan: 'once' };
}
