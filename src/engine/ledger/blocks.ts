import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import type { Clock } from '../../kernel/clock.ts';
import { newId, type Uuid } from '../../kernel/ids.ts';
import { invariant } from '../../kernel/invariant.ts';
import { describeBlock, type Block, type BlockScope } from './block.ts';
import * as sql from './block-sql.ts';

/*
 * What operators have stopped. Claims of messages and reservations of calls look at the table inside their own
 * statement, so a block counts for every one that begins after its commit. Those that had begun before are waited for:
 * when `place` resolves, nothing that the block stops is claimed or reserved any more.
 */

/** Who places or lifts a block, and why. */
export interface BlockOperation {
  readonly actor: string;
  readonly reason: string;
}

export interface BlockOrder extends BlockOperation {
  readonly scope: BlockScope;
  readonly value: string;
  readonly aborts: boolean;
}

export interface PlacedBlock {
  readonly block: Block;
  /** False when it stood already: then its reason, actor and whether it aborts are as given now. */
  readonly isNew: boolean;
  /** Transactions that began before the block and had not ended after a second; 0 unless the database is in trouble. */
  readonly stragglers: number;
}

/** A block with how many messages wait for it. */
export interface ListedBlock extends Block {
  readonly waiting: number;
}

/** A block and how long it stands, on the database's clock. */
export interface StandingBlock extends Block {
  readonly ageSeconds: number;
}

const stragglerWaitMs = 1000;
const stragglerLookMs = 5;

export class Blocks {
  readonly #database: SqlDatabase;
  readonly #clock: Clock;

  constructor({ database, clock }: { readonly database: SqlDatabase; readonly clock: Clock }) {
    this.#database = database;
    this.#clock = clock;
  }

  /** Places the block, or changes the one that stands for the same. Resolves when it counts everywhere. */
  async place({ scope, value, aborts, actor, reason }: BlockOrder): Promise<PlacedBlock> {
    const now = this.#clock.now();
    const id = newId(now);
    const { rows } = await this.#database.query<BlockRow>(sql.placeBlock, [
      id,
      scope,
      value,
      aborts,
      actor,
      reason,
      newId(now),
      describeBlock({ scope, value }),
    ]);
    const [row] = rows;
    invariant(row !== undefined, 'placing a block answers its row');
    return { block: blockOf(row), isNew: row.id === id, stragglers: await this.#outwait() };
  }

  /** Lifts the block of this id, or on this scope and value; undefined when there is none. What waits for it is released by the maintenance role. */
  async remove(
    which: { readonly id: Uuid } | Pick<Block, 'scope' | 'value'>,
    { actor, reason }: BlockOperation,
  ): Promise<Block | undefined> {
    const { rows } = await this.#database.query<BlockRow>(sql.removeBlock, [
      ...('id' in which ? [which.id, undefined, undefined] : [undefined, which.scope, which.value]),
      actor,
      reason,
      newId(this.#clock.now()),
    ]);
    const [row] = rows;
    return row === undefined ? undefined : blockOf(row);
  }

  /** What stands, oldest first. A viewer bound to a team sees what stops everybody, and that team. */
  async list({ team }: { readonly team?: string | undefined } = {}): Promise<readonly ListedBlock[]> {
    const { rows } = await this.#database.query<BlockRow & { readonly waiting: number }>(sql.listBlocks, [
      team,
    ]);
    return rows.map((row) => ({ ...blockOf(row), waiting: row.waiting }));
  }

  /** What stands, by one small query: for those who ask several times a second. */
  async read(): Promise<readonly StandingBlock[]> {
    const { rows } = await this.#database.query<BlockRow & { readonly age_seconds: number }>(sql.readBlocks);
    return rows.map((row) => ({ ...blockOf(row), ageSeconds: row.age_seconds }));
  }

  /** Whether the ledger knows anything of this kind: what is open, and the newest messages and calls. */
  async isKnown({ scope, value }: Pick<Block, 'scope' | 'value'>): Promise<boolean> {
    const { rows } = await this.#database.query<{ known: boolean }>(sql.findBlockedKind, [scope, value]);
    return rows[0]?.known ?? false;
  }

  /** Waits for the transactions that began before the change; answers how many are left after a second. */
  async #outwait(): Promise<number> {
    const deadlineMs = this.#clock.monotonicMs() + stragglerWaitMs;
    let left: ReadonlySet<string> = await this.#stragglers();
    while (left.size > 0 && this.#clock.monotonicMs() < deadlineMs) {
      await this.#clock.sleep(stragglerLookMs);
      const present = await this.#stragglers();
      left = new Set([...left].filter((transaction) => present.has(transaction)));
    }
    return left.size;
  }

  async #stragglers(): Promise<ReadonlySet<string>> {
    const { rows } = await this.#database.query<{ id: string }>(sql.listStragglers);
    return new Set(rows.map((row) => row.id));
  }
}

interface BlockRow {
  readonly id: Uuid;
  readonly scope: BlockScope;
  readonly value: string;
  readonly aborts: boolean;
  readonly actor: string;
  readonly reason: string;
  readonly created_at: Date;
}

function blockOf(row: BlockRow): Block {
  const { id, scope, value, aborts, actor, reason } = row;
  return { id, scope, value, aborts, actor, reason, createdAt: row.created_at };
}
