import { EventEmitter } from 'node:events';
import type { PGlite } from '@electric-sql/pglite';
import pg from 'pg';
import { invariant } from '../../kernel/invariant.ts';
import { PgliteSession } from './pglite-session.ts';
import { PgliteUpkeep } from './pglite-upkeep.ts';
import { Turns } from './turns.ts';

/*
 * A PGlite instance in the shape of a `pg.Pool`, for a library that brings its own SQL. All clients share PGlite's one
 * session: single statements take turns, and a client that has said BEGIN keeps its turn until COMMIT or ROLLBACK.
 * Notifications reach every client that listens. Values come as `pg` gives them by default.
 */

/** A result in the shape of `pg`'s. */
export interface PoolResult<Row> {
  readonly rows: Row[];
  readonly rowCount: number;
}

const begins = /^\s*BEGIN\b/i;
const ends = /^\s*(COMMIT|ROLLBACK)\b/i;

/** A PGlite instance, which it owns from then on, shaped like a `pg.Pool`. */
export class PglitePool extends EventEmitter {
  /** There is no socket that could be lost unnoticed: a listener may wait as long as it likes. */
  readonly options = { keepAlive: true };
  readonly #pglite: PGlite;
  readonly #session: PgliteSession;
  readonly #upkeep: PgliteUpkeep;
  readonly #turns = new Turns();
  readonly #names = new Map<string, string>();
  #closing: Promise<void> | undefined;

  constructor(pglite: PGlite) {
    super();
    this.#pglite = pglite;
    // A plain number: the declared type ids are a closed set.
    this.#session = new PgliteSession(pglite, (typeId: number) => pg.types.getTypeParser(typeId));
    this.#upkeep = new PgliteUpkeep(this.#session);
  }

  query<Row>(text: string, parameters: readonly unknown[] = []): Promise<PoolResult<Row>> {
    invariant(this.#closing === undefined, 'a statement comes before the pool is closed');
    const result = this.#turns.run(() => this.#run<Row>(text, parameters));
    // What makes it fail fails the statements that follow as well, and is reported by them.
    if (this.#upkeep.isDueAfterTurn()) this.#turns.run(() => this.#upkeep.run()).catch(() => undefined);
    return result;
  }

  connect(): Promise<PgliteClient> {
    const client = new PgliteClient({
      run: (text, parameters) => this.#run(text, parameters),
      turns: this.#turns,
      pglite: this.#pglite,
    });
    return Promise.resolve(client);
  }

  /** Resolves after the last statement. */
  end(): Promise<void> {
    this.#closing ??= this.#turns.ended().then(() => this.#pglite.close());
    return this.#closing;
  }

  async #run<Row>(text: string, parameters: readonly unknown[]): Promise<PoolResult<Row>> {
    if (parameters.length === 0) {
      const { rows, tag } = await this.#session.execute(text);
      return { rows: rows as Row[], rowCount: countOf(tag) ?? rows.length };
    }
    const { rows, affected } = await this.#session.query<Row>({ name: this.#nameOf(text), text }, parameters);
    return { rows, rowCount: affected === 0 ? rows.length : affected };
  }

  // The library's statements are a fixed set, so each is prepared once.
  #nameOf(text: string): string {
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    const name = `q${this.#names.size}`;
    this.#names.set(text, name);
    return name;
  }
}

interface PgliteClientOptions {
  readonly run: <Row>(text: string, parameters: readonly unknown[]) => Promise<PoolResult<Row>>;
  readonly turns: Turns;
  readonly pglite: PGlite;
}

/** One client of the pool. */
export class PgliteClient extends EventEmitter {
  readonly #options: PgliteClientOptions;
  readonly #stopListening: () => void;
  /** Ends the turn of this client's open transaction. */
  #endTurn: (() => void) | undefined;

  constructor(options: PgliteClientOptions) {
    super();
    this.#options = options;
    this.#stopListening = options.pglite.onNotification((channel, payload) => {
      this.emit('notification', { channel, payload });
    });
  }

  async query<Row>(text: string, parameters: readonly unknown[] = []): Promise<PoolResult<Row>> {
    const { run, turns } = this.#options;
    if (this.#endTurn === undefined) {
      if (!begins.test(text)) return await turns.run(() => run<Row>(text, parameters));
      await this.#takeTurn();
    }
    try {
      return await run<Row>(text, parameters);
    } finally {
      if (ends.test(text)) this.#giveTurn();
    }
  }

  release(): void {
    invariant(this.#endTurn === undefined, 'a client is released after its transaction has ended');
    this.#stopListening();
    this.removeAllListeners();
  }

  async #takeTurn(): Promise<void> {
    await new Promise<void>((hasTurn) => {
      void this.#options.turns.run(
        () =>
          new Promise<void>((endTurn) => {
            this.#endTurn = endTurn;
            hasTurn();
          }),
      );
    });
  }

  #giveTurn(): void {
    this.#endTurn?.();
    this.#endTurn = undefined;
  }
}

function countOf(tag: string): number | undefined {
  const last = tag.slice(tag.lastIndexOf(' ') + 1);
  return /^\d+$/.test(last) ? Number(last) : undefined;
}
