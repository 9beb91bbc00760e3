import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import { named } from '../../drivers/sql-database/sql-statement.ts';

/** A model that takes no calls until a time that its provider named. */
export interface ModelCooldown {
  readonly provider: string;
  readonly model: string;
  readonly until: Date;
}

const listCooldowns = named(
  'admission.list_cooldowns',
  `select provider, model, cooldown_until as until from millrace.model_limits
   where cooldown_until > statement_timestamp() order by provider, model limit 100`,
);

/** The models whose cool-down is not over. */
export async function readModelCooldowns(database: SqlDatabase): Promise<readonly ModelCooldown[]> {
  const { rows } = await database.query<{ provider: string; model: string; until: Date }>(listCooldowns);
  return rows;
}
