import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import { named } from '../../drivers/sql-database/sql-statement.ts';

/* Which webhooks work may name, to be told of its end: those of its team in the ledger, and those of the configuration that are open to it. */

/** What is looked at of the configuration. */
export interface NamedWebhooks {
  readonly endpoints: Readonly<Record<string, { readonly teams?: readonly string[] | undefined }>>;
}

/** $1 name, $2 team. */
const findSubscription = named(
  'ledger.find_webhook',
  `select e.id from millrace.webhook_endpoints e where e.kind = 'subscription' and coalesce(e.team, '') = $2 and e.name = $1`,
);

export class WebhookNames {
  readonly #database: SqlDatabase;
  readonly #webhooks: NamedWebhooks;

  constructor(database: SqlDatabase, webhooks: NamedWebhooks) {
    this.#database = database;
    this.#webhooks = webhooks;
  }

  /** Whether work of the team may name it. Nobody is told whether it is another team's. */
  async has(name: string, team: string): Promise<boolean> {
    if (isOpenTo(this.#webhooks.endpoints, name, team)) return true;
    return (await this.#database.query(findSubscription, [name, team])).rows.length > 0;
  }
}

/** Whether the configuration has a webhook of the name that is open to the team. */
export function isOpenTo(endpoints: NamedWebhooks['endpoints'], name: string, team: string): boolean {
  if (!Object.hasOwn(endpoints, name)) return false;
  const teams = endpoints[name]?.teams;
  return teams === undefined || teams.includes(team);
}
