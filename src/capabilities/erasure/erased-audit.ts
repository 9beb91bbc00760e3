import type { SqlExecutor } from '../../drivers/sql-database/sql-database.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { type AuditEntry, erasedAction, type ErasedName } from './erased-actions.ts';
import * as sql from './erasure-sql.ts';

/* The audit's entries about a customer, in the ledger. */

type AuditRow = AuditEntry & { readonly id: Uuid };

const pageSize = 2000;

/** Replaces the name in every entry about the customer. May be repeated. */
export async function eraseActions(executor: SqlExecutor, name: ErasedName): Promise<void> {
  for await (const { id, target, reason, detail } of erasedActions(executor, name))
    await executor.query(sql.rewriteAction, [id, target, reason, detail]);
}

/** Whether an erasure would change any entry. */
export async function isNamedInActions(executor: SqlExecutor, name: ErasedName): Promise<boolean> {
  for await (const _ of erasedActions(executor, name)) return true;
  return false;
}

async function* erasedActions(executor: SqlExecutor, name: ErasedName): AsyncGenerator<AuditRow> {
  let after: Uuid | undefined = '00000000-0000-0000-0000-000000000000';
  while (after !== undefined) {
    const page: readonly AuditRow[] = (
      await executor.query<AuditRow>(sql.listNamingActions, [
        name.customer,
        JSON.stringify(name.customer),
        after,
        pageSize,
      ])
    ).rows;
    for (const { id, ...entry } of page) {
      const erased = erasedAction(entry, name);
      if (erased !== undefined) yield { id, ...erased };
    }
    after = page.at(-1)?.id;
  }
}
