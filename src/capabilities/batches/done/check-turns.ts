import type { Uuid } from '../../../kernel/ids.ts';

/*
 * Which checks of which batches are made next. At most `slots` run at once. A team may begin another one while it has fewer than are free for
 * all, and a batch while it has fewer than are free for its team: so a batch that is alone has a fourth of them, and however long the checks
 * of some take, others find one free. Batches are served in turn, the one first that was served longest ago.
 *
 * A check whose validator failed waits before it is made again. All of this is the memory of one process: another one begins anew with what
 * is open in the ledger.
 */

/** Checks at the same time over all batches, and of one team; each has an output of some megabytes at most. */
const slots = 32;
const teamSlots = 16;
/** How long a check waits after each failure of its validator; after the last one it counts. */
const pausesMs = [5000, 20_000, 60_000] as const;
/** Checks of a batch that wait to be made again; with as many, none is made for the first time. */
const maxWaiting = 500;

/** A batch as it is served. */
interface Served {
  readonly id: Uuid;
  readonly team: string;
}

interface Waiting {
  readonly failures: number;
  readonly dueMs: number;
}

/** What is known of a batch between its turns. */
interface Line {
  /** The number of its last turn. */
  served: number;
  readonly waiting: Map<number, Waiting>;
}

/** A check that is being made, or whose result is to be recorded. */
export interface RunningCheck {
  readonly batch: Served;
  readonly position: number;
  /** How often its validator has failed before. */
  readonly failures: number;
}

/** Which open checks of a batch may be made: `only` these, or all `without` those. */
export type CheckChoice = { readonly only: readonly number[] } | { readonly without: readonly number[] };

export class CheckTurns {
  readonly #lines = new Map<Uuid, Line>();
  readonly #running = new Set<RunningCheck>();
  readonly #outdated = new WeakSet<RunningCheck>();
  #turn = 0;

  get isBusy(): boolean {
    return this.#running.size > 0;
  }

  /** The batches in the order of their turns. */
  inTurn<Batch extends Served>(batches: readonly Batch[]): readonly Batch[] {
    const lastOf = ({ id }: Batch): number => this.#lines.get(id)?.served ?? 0;
    return batches.toSorted((one, other) => lastOf(one) - lastOf(other));
  }

  /** How many more checks of a batch may begin. */
  roomOf({ id, team }: Served): number {
    const running = [...this.#running];
    const free = slots - running.length;
    const ofTeam = running.filter(({ batch }) => batch.team === team).length;
    const ofBatch = running.filter(({ batch }) => batch.id === id).length;
    let room = 0;
    while (ofTeam + room < free - room && ofBatch + room < teamSlots - ofTeam - room) room += 1;
    return room;
  }

  /** Gives a batch its turn; undefined where all that is open waits. */
  choose({ id }: Served, room: number, nowMs: number): CheckChoice | undefined {
    const line = this.#lineOf(id);
    this.#turn += 1;
    line.served = this.#turn;
    const running = [...this.#running].filter(({ batch }) => batch.id === id).map(({ position }) => position);
    const idle = [...line.waiting].filter(([position]) => !running.includes(position));
    const due = idle.filter(([, { dueMs }]) => dueMs <= nowMs).map(([position]) => position);
    if (due.length > 0) return { only: due.slice(0, room) };
    if (line.waiting.size >= maxWaiting) return undefined;
    return { without: [...running, ...idle.map(([position]) => position)] };
  }

  begin(batch: Served, position: number): RunningCheck {
    const failures = this.#lines.get(batch.id)?.waiting.get(position)?.failures ?? 0;
    const check = { batch, position, failures };
    this.#running.add(check);
    return check;
  }

  /** The check is made again later; false where its validator has failed too often. */
  postpone(check: RunningCheck, nowMs: number): boolean {
    const pauseMs = pausesMs[check.failures];
    if (pauseMs === undefined) return false;
    this.#wait(check, { failures: check.failures + 1, dueMs: nowMs + pauseMs });
    return true;
  }

  /** The check is made again later, and nothing counts: it was not the validator that failed. */
  putBack(check: RunningCheck, nowMs: number): void {
    this.#wait(check, { failures: check.failures, dueMs: nowMs + pausesMs[0] });
  }

  /** The check was cut off: it is as if it had not begun. */
  cutOff(check: RunningCheck): void {
    this.#running.delete(check);
  }

  /** What was found is recorded. */
  end(check: RunningCheck): void {
    this.#running.delete(check);
    this.drop(check.batch, [check.position]);
  }

  /** These do not wait any more: they are not open. */
  drop({ id }: Served, positions: readonly number[]): void {
    const line = this.#lines.get(id);
    for (const position of positions) line?.waiting.delete(position);
  }

  /** Forgets what waits of a batch whose sample is drawn, and what is about to be found of an earlier one. */
  drawn({ id }: Served): void {
    this.#lineOf(id).waiting.clear();
    for (const check of this.#running) if (check.batch.id === id) this.#outdated.add(check);
  }

  /** Whether it was begun before the present sample was drawn. */
  isOutdated(check: RunningCheck): boolean {
    return this.#outdated.has(check);
  }

  /** Forgets all batches but these. */
  keepOnly(batches: readonly Served[]): void {
    const kept = new Set(batches.map(({ id }) => id));
    for (const id of this.#lines.keys()) if (!kept.has(id)) this.#lines.delete(id);
  }

  #wait(check: RunningCheck, waiting: Waiting): void {
    this.#running.delete(check);
    this.#lines.get(check.batch.id)?.waiting.set(check.position, waiting);
  }

  #lineOf(id: Uuid): Line {
    const line = this.#lines.get(id) ?? { served: 0, waiting: new Map<number, Waiting>() };
    this.#lines.set(id, line);
    return line;
  }
}
