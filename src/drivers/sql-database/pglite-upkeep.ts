import type { PgliteSession } from './pglite-session.ts';

/*
 * A PostgreSQL server has background processes that write checkpoints and vacuum tables; PGlite has none. Without
 * them its log of changes grows without end (and is replayed whole after a kill), and dead rows slow every query. So
 * both are done here, between turns, when there is enough to do.
 */

const turnsBetweenLooks = 200;
const maxLogBytes = 48 * 1024 * 1024;

const look = {
  name: 'upkeep.look',
  text: `select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), redo_lsn)::float8 as log_bytes
           from pg_control_checkpoint()`,
};

// PostgreSQL's own rule for when to vacuum and analyse, with a higher floor.
const findWorn = {
  name: 'upkeep.find-worn',
  text: `select format('%I.%I', schemaname, relname) as table_name
           from pg_stat_user_tables
          where n_dead_tup > 1000 + 0.2 * n_live_tup or n_mod_since_analyze > 1000 + 0.2 * n_live_tup`,
};

/** Checkpoints and vacuums of one PGlite session. */
export class PgliteUpkeep {
  readonly #session: PgliteSession;
  #turnsSinceLook = 0;

  constructor(session: PgliteSession) {
    this.#session = session;
  }

  /** Counts a turn; true when it is time to run(). */
  isDueAfterTurn(): boolean {
    this.#turnsSinceLook += 1;
    if (this.#turnsSinceLook < turnsBetweenLooks) return false;
    this.#turnsSinceLook = 0;
    return true;
  }

  /** Does what there is to do. Takes a turn of its own, outside a transaction. */
  async run(): Promise<void> {
    const { rows } = await this.#session.query<{ log_bytes: number }>(look, []);
    if ((rows[0]?.log_bytes ?? 0) > maxLogBytes) await this.#session.execute('CHECKPOINT');
    await this.#session.execute('SELECT pg_stat_force_next_flush()');
    const worn = await this.#session.query<{ table_name: string }>(findWorn, []);
    for (const { table_name } of worn.rows) await this.#session.execute(`VACUUM (ANALYZE) ${table_name}`);
  }
}
