import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import { named } from '../../drivers/sql-database/sql-statement.ts';

/** What was counted of a model in the last minute, over all processes. */
export interface ModelAttempts {
  readonly provider: string;
  readonly model: string;
  readonly firsts: number;
  readonly retries: number;
  readonly failures: number;
  readonly timeouts: number;
}

const listAttempts = named(
  'admission.list_attempts',
  `select provider, model, sum(firsts)::int as firsts, sum(retries)::int as retries, sum(failures)::int as failures,
     sum(timeouts)::int as timeouts
   from millrace.model_windows where window_start > clock_timestamp() - interval '1 minute'
   group by provider, model having sum(firsts) + sum(retries) > 0 order by provider, model limit 1000`,
);

/** The models that were called in the last minute. */
export async function readModelAttempts(database: SqlDatabase): Promise<readonly ModelAttempts[]> {
  const { rows } = await database.query<ModelAttempts>(listAttempts);
  return rows;
}
