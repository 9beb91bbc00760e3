import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { listBranches, listLetGo, listStagesOfJoins, readJoin, recheckJoins } from './join-sql.ts';
import type { StoredBody } from './stored-message.ts';

/** What let the messages of a join go. */
export type JoinRelease = 'all' | 'quorum' | 'unreachable' | 'timeout' | 'cancelled';

export type BranchState = 'open' | 'succeeded' | 'failed' | 'cancelled';

/** What came of a join. */
export interface JoinOutcome {
  readonly total: number;
  readonly quorum: number | undefined;
  /** How many branches had ended when it was released. */
  readonly ended: number;
  readonly succeeded: number;
  /** Undefined while it waits. */
  readonly releasedBy: JoinRelease | undefined;
}

/** A branch as it was when the join was released. */
export interface StoredBranch {
  readonly id: Uuid;
  readonly place: number;
  readonly type: string;
  readonly state: BranchState;
  readonly errorCode: string | undefined;
  /** What was said in it, as JSON or where that lies. */
  readonly said: readonly StoredBody[];
}

/** A message that a join has let go. */
export interface LetGo {
  readonly id: Uuid;
  readonly stage: string;
}

interface JoinRow {
  readonly total: number;
  readonly quorum: number | null;
  readonly ended: number;
  readonly succeeded: number;
  readonly released_by: JoinRelease | null;
}

interface SaidRow {
  readonly body: string | null;
  readonly body_ref: string | null;
}

interface BranchRow {
  readonly id: Uuid;
  readonly place: number;
  readonly type: string;
  readonly state: BranchState;
  readonly error_code: string | null;
  readonly said: readonly SaidRow[] | null;
}

const beginning: Uuid = '00000000-0000-0000-0000-000000000000';

/** Joins in the ledger: what they have let go, what came of them, and a walk through those that wait. */
export class Joins {
  readonly #database: SqlDatabase;
  /** The join that the walk has come to. */
  #place = beginning;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** The messages that wait for a worker since the joins of these branches were released. */
  async letGo(branches: readonly Uuid[]): Promise<readonly LetGo[]> {
    const { rows } = await this.#database.query<LetGo>(listLetGo, [branches]);
    return rows;
  }

  async find(id: Uuid): Promise<JoinOutcome | undefined> {
    const { rows } = await this.#database.query<JoinRow>(readJoin, [id]);
    return rows.map(({ total, quorum, ended, succeeded, released_by }) => ({
      total,
      quorum: quorum ?? undefined,
      ended,
      succeeded,
      releasedBy: released_by ?? undefined,
    }))[0];
  }

  /** Up to `limit` of the branches, in their order, after a place. */
  async branches(id: Uuid, after: number, limit: number): Promise<readonly StoredBranch[]> {
    const { rows } = await this.#database.query<BranchRow>(listBranches, [id, after, limit]);
    return rows.map(({ id: branch, place, type, state, error_code, said }) => ({
      id: branch,
      place,
      type,
      state,
      errorCode: error_code ?? undefined,
      said: (said ?? []).map(({ body, body_ref }) =>
        body_ref === null
          ? { kind: 'inline', json: body ?? 'null' }
          : { kind: 'payload', reference: body_ref },
      ),
    }));
  }

  /**
   * Looks at the next `limit` joins that wait, and releases those that have nothing to wait for. Answers the stages that have something to
   * do since, and whether the walk has come to its end.
   */
  async recheck(limit: number): Promise<{ readonly stages: readonly string[]; readonly isAtEnd: boolean }> {
    const { rows } = await this.#database.query<{ id: Uuid; is_released: boolean }>(recheckJoins, [
      this.#place,
      limit,
    ]);
    const isAtEnd = rows.length < limit;
    this.#place = isAtEnd ? beginning : (rows.at(-1)?.id ?? beginning);
    const released = rows.flatMap((row) => (row.is_released ? [row.id] : []));
    if (released.length === 0) return { stages: [], isAtEnd };
    const { rows: stages } = await this.#database.query<{ stage: string }>(listStagesOfJoins, [released]);
    return { stages: stages.map(({ stage }) => stage), isAtEnd };
  }
}
