import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import type { Clock } from '../../../kernel/clock.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import type { Origin } from '../../../messages/origin.ts';
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

/** How the batches of messages are run; every call of a message with a batch asks, so that it is remembered for some seconds. */
export class BatchModes {
  readonly #database: SqlDatabase;
  readonly #clock: Clock;
  readonly #known = new Map<
    string,
    { readonly atMs: number; readonly batch: Promise<ModedBatch | undefined> }
  >();
  readonly #noted = new Set<string>();

  constructor({ database, clock }: { readonly database: SqlDatabase; readonly clock: Clock }) {
    this.#database = database;
    this.#clock = clock;
  }

  /** The batch that an origin names; undefined where it names none, or one that is no batch of ours. */
  async find({ team, batch: name }: Origin): Promise<ModedBatch | undefined> {
    if (name === undefined) return undefined;
    const key = `${team}\n${name}`;
    const nowMs = this.#clock.monotonicMs();
    const known = this.#known.get(key);
    if (known !== undefined && nowMs - known.atMs < freshMs) return await known.batch;
    const batch = this.#read(team, name);
    if (this.#known.size >= maxRemembered) this.#known.clear();
    this.#known.set(key, { atMs: nowMs, batch });
    try {
      return await batch;
    } catch (error) {
      // The next call looks again.
      this.#known.delete(key);
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

  async #read(team: string, name: string): Promise<ModedBatch | undefined> {
    const { rows } = await this.#database.query<ModeRow>(sql.readMode, [team, name]);
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
