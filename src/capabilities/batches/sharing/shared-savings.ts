import type { SqlExecutor } from '../../../drivers/sql-database/sql-database.ts';
import { named } from '../../../drivers/sql-database/sql-statement.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import { formatUsd, usd } from '../../../kernel/money.ts';

/** What answers that messages were given without a call of their own would have cost: each as much as the call that was paid, as the ledger has it now. */
export interface SharedSavings {
  readonly answers: number;
  readonly savedUsd: string;
  /** Of these, answers whose call has no price, or is no longer in the ledger. */
  readonly unvalued: number;
}

/** $1 batch. */
const readSavings = named(
  'batches.read_shared_savings',
  `select count(*)::int as answers, coalesce(sum(c.cost_usd), 0)::text as saved_usd, (count(*) filter (where c.cost_usd is null))::int as unvalued
   from millrace.batch_shared_answers s left join millrace.calls c on c.id = s.call_id
   where s.batch_id = $1::uuid and s.rejected_at is null`,
);

/** What sharing has saved in a batch. */
export async function readSharedSavings(executor: SqlExecutor, batchId: Uuid): Promise<SharedSavings> {
  const { rows } = await executor.query<{ answers: number; saved_usd: string; unvalued: number }>(
    readSavings,
    [batchId],
  );
  const { answers = 0, saved_usd: saved = '0', unvalued = 0 } = rows[0] ?? {};
  return { answers, savedUsd: formatUsd(usd(saved)), unvalued };
}
