import { randomBytes } from 'node:crypto';
import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import { named } from '../../../drivers/sql-database/sql-statement.ts';
import { invariant } from '../../../kernel/invariant.ts';

/** $1 a secret: kept, if there is none yet. */
const keepSecret = named(
  'requests.keep_stream_token_secret',
  `insert into millrace.stream_token_secrets (id, secret) values (1, $1::text) on conflict (id) do nothing`,
);

const readSecret = named(
  'requests.read_stream_token_secret',
  `select secret from millrace.stream_token_secrets where id = 1`,
);

/** The secret that stream tokens are signed with: the configured one, else one that the ledger keeps for all processes, made when it is first needed. */
export class StreamTokenSecret {
  readonly #database: SqlDatabase;
  readonly #configured: string | undefined;
  #kept: Promise<string> | undefined;

  constructor(database: SqlDatabase, configured: string | undefined) {
    this.#database = database;
    this.#configured = configured;
  }

  async current(): Promise<string> {
    if (this.#configured !== undefined) return this.#configured;
    this.#kept ??= this.#keep().catch((error: unknown) => {
      this.#kept = undefined;
      throw error;
    });
    return await this.#kept;
  }

  async #keep(): Promise<string> {
    const known = await this.#read();
    if (known !== undefined) return known;
    await this.#database.query(keepSecret, [randomBytes(32).toString('base64url')]);
    const kept = await this.#read();
    invariant(kept !== undefined, 'a secret that was kept is there');
    return kept;
  }

  async #read(): Promise<string | undefined> {
    const { rows } = await this.#database.query<{ secret: string }>(readSecret, []);
    return rows[0]?.secret;
  }
}
