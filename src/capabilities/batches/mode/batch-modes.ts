import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { GroupCommit } from '../../../kernel/group-commit.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import type { BatchState } from '../batch.ts';
import { type BatchMode, batchSettingsSchema, type ShareScope } from '../batch-settings.ts';
import type { ModeChoice } from './mode-choice.ts';
import * as sql from './deferred-call-sql.ts';

/** What a batch says about how its calls are made. */
export interface ModedBatch {
  readonly id: Uuid;
  readonly mode: BatchMode;
  readonly share: ShareScope;
  readonly state: BatchState;
  readonly beganAt: Date;
  readonly deadline: Date | undefined;
}

interface ModeRow {
  readonly id: Uuid;
  readonly settings: string;
  readonly state: BatchState;
  readonly deadline: Date | null;
  readonly began_at: Date;
}

/** How long what was read is believed: a deadline can be changed while the batch runs. */
const freshMs = 5000;
const maxRemembered = 1000;
const maxRememberedRoots = 20_000;

/**
 * How the batches of messages are run. A message is of the batch one of whose items its root is: its team and the name in its origin do not tell,
 * since an item may name another team, and anybody may admit messages under the name of a batch. Whose a root is never changes and is
 * asked for once in a process, for many roots together; how a batch is run is remembered for some seconds.
 */
export class BatchModes {
  readonly #database: SqlDatabase;
  readonly #clock: Clock;
  readonly #batchOfRoot: GroupCommit<Uuid, Uuid | undefined>;
  readonly #roots = new Map<Uuid, Promise<Uuid | undefined>>();
  readonly #known = new Map<
    Uuid,
    { readonly atMs: number; readonly batch: Promise<ModedBatch | undefined>; isRead: boolean }
  >();
  readonly #noted = new Set<string>();

  constructor({ database, clock }: { readonly database: SqlDatabase; readonly clock: Clock }) {
    this.#database = database;
    this.#clock = clock;
    this.#batchOfRoot = new GroupCommit({
      name: 'batches of messages',
      clock,
      flush: async (roots) => {
        const { rows } = await database.query<{ message_id: Uuid; batch_id: Uuid }>(sql.batchesOfMessages, [
          roots,
        ]);
        const found = new Map(rows.map(({ message_id: id, batch_id: batch }) => [id, batch]));
        return roots.map((root) => found.get(root));
      },
    });
  }

  /**
   * The batch of which the root of a message is an item; undefined where it is none. `isAsOfNow`: what was read before is not believed.
   */
  async find(rootId: Uuid, { isAsOfNow = false } = {}): Promise<ModedBatch | undefined> {
    const id = await this.#batchOf(rootId);
    if (id === undefined) return undefined;
    const nowMs = this.#clock.monotonicMs();
    const known = this.#known.get(id);
    if (known !== undefined && nowMs - known.atMs < freshMs && !(isAsOfNow && known.isRead)) {
      return await known.batch;
    }
    const reading = { atMs: nowMs, batch: this.#read(id), isRead: false };
    if (this.#known.size >= maxRemembered) this.#known.clear();
    this.#known.set(id, reading);
    try {
      const batch = await reading.batch;
      reading.isRead = true;
      return batch;
    } catch (error) {
      // The next call looks again.
      this.#known.delete(id);
      throw error;
    }
  }

  /** Notes which way is chosen, once in a process while it stays the same. */
  async note(batchId: Uuid, model: string, { mode, reason }: ModeChoice): Promise<void> {
    const key = JSON.stringify([batchId, model, mode, reason]);
    if (this.#noted.has(key)) return;
    await this.#database.query(sql.noteChoice, [batchId, model, mode, reason]);
    if (this.#noted.size >= maxRemembered) this.#noted.clear();
    this.#noted.add(key);
  }

  async #batchOf(rootId: Uuid): Promise<Uuid | undefined> {
    const known = this.#roots.get(rootId);
    if (known !== undefined) return await known;
    const asked = this.#batchOfRoot.submit(rootId);
    if (this.#roots.size >= maxRememberedRoots) this.#roots.clear();
    this.#roots.set(rootId, asked);
    try {
      return await asked;
    } catch (error) {
      this.#roots.delete(rootId);
      throw error;
    }
  }

  async #read(id: Uuid): Promise<ModedBatch | undefined> {
    const { rows } = await this.#database.query<ModeRow>(sql.readMode, [id]);
    const [row] = rows;
    if (row === undefined) return undefined;
    const { mode, share } = batchSettingsSchema.parse(JSON.parse(row.settings));
    return {
      id: row.id,
      mode,
      share,
      state: row.state,
      beganAt: row.began_at,
      deadline: row.deadline ?? undefined,
    };
  }
}
