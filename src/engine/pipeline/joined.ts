import type { Uuid } from '../../kernel/ids.ts';
import { maxResultsOfBranch } from '../ledger/join-sql.ts';
import type { BranchState, JoinOutcome, JoinRelease, Joins, StoredBranch } from '../ledger/joins.ts';
import type { MessageBodies } from './message-bodies.ts';

/** What one of the joined messages came to. */
export interface JoinedBranch {
  /** Of the emitted message (of the first, where several stages consume it). */
  readonly id: Uuid;
  /** In the order of `of`, from 0. */
  readonly place: number;
  readonly type: string;
  /** `open`: it had not ended when the join was released, by its quorum or its time limit. */
  readonly state: BranchState;
  /** The code of the failure, of a branch that failed or was cancelled. */
  readonly errorCode: string | undefined;
  /**
   * What a branch that succeeded said: data of its messages that no stage consumes, and results of handlers after which nothing came.
   * The first 100 of them.
   */
  readonly results: readonly unknown[];
  /** There may be more results. */
  readonly isCut: boolean;
}

/** How many branches are read at once: what a handler holds in memory is that, and what it keeps. */
const pageSize = 50;

/** The messages that a message waited for, in the order in which they were emitted: `for await (const part of ctx.joined)`. */
export class Joined implements AsyncIterable<JoinedBranch> {
  /** How many branches there are. */
  readonly total: number;
  /** How many had ended when the join was released. */
  readonly ended: number;
  /** How many of these had succeeded. */
  readonly succeeded: number;
  /** How many had failed, or been cancelled. */
  readonly failed: number;
  /** `all` have ended, the `quorum` has succeeded, or has become `unreachable`, or the time limit (`timeout`) was over. */
  readonly releasedBy: JoinRelease;
  /** As many as the quorum asks for have succeeded; without a quorum: all. */
  readonly isQuorumMet: boolean;
  readonly #id: Uuid;
  readonly #joins: Pick<Joins, 'branches'>;
  readonly #bodies: Pick<MessageBodies, 'read'>;

  constructor(
    id: Uuid,
    { total, quorum, ended, succeeded, releasedBy }: JoinOutcome,
    joins: Pick<Joins, 'branches'>,
    bodies: Pick<MessageBodies, 'read'>,
  ) {
    this.total = total;
    this.ended = ended;
    this.succeeded = succeeded;
    this.failed = ended - succeeded;
    this.releasedBy = releasedBy ?? 'all';
    this.isQuorumMet = succeeded >= (quorum ?? total);
    this.#id = id;
    this.#joins = joins;
    this.#bodies = bodies;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<JoinedBranch> {
    let after = 0;
    for (;;) {
      const page = await this.#joins.branches(this.#id, after, pageSize);
      for (const branch of page) yield await this.#read(branch);
      if (page.length < pageSize) return;
      after = page.at(-1)?.place ?? after;
    }
  }

  async #read({ id, place, type, state, errorCode, said }: StoredBranch): Promise<JoinedBranch> {
    const results: unknown[] = [];
    for (const body of said) results.push(await this.#bodies.read(body));
    const isCut = said.length >= maxResultsOfBranch;
    return { id, place: place - 1, type, state, errorCode, results, isCut };
  }
}
