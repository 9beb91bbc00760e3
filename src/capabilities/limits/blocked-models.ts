import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import { named } from '../../drivers/sql-database/sql-statement.ts';

/** A model that takes no calls until a time that its provider named. */
export interface BlockedModel {
  readonly provider: string;
  readonly model: string;
  readonly until: Date;
}

const listBlocked = named(
  'admission.list_blocked',
  `select provider, model, blocked_until as until from millrace.model_limits
   where blocked_until > statement_timestamp() order by provider, model limit 100`,
);

/** The models whose providers asked for a pause that is not over. */
export async function readBlockedModels(database: SqlDatabase): Promise<readonly BlockedModel[]> {
  const { rows } = await database.query<{ provider: string; model: string; until: Date }>(listBlocked);
  return rows;
}
