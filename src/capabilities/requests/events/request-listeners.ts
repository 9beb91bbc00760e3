import type { SqlDatabase } from '../../../drivers/sql-database/sql-database.ts';
import { named } from '../../../drivers/sql-database/sql-statement.ts';
import type { Clock } from '../../../kernel/clock.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import type { Logger } from '../../../telemetry/logger.ts';

/*
 * Who listens to requests that are to be cancelled when nobody does any more. Each process notes for each of them until when it counts as listening: for a
 * while that it prolongs as long as it has a reader, and for the grace time when the last one has left. A request is cancelled when the time
 * of every process is over, so also when a process died with its readers.
 */

/** $1 requests, $2 who listens, $3 for how long, in milliseconds, each: it listens until then. */
const noteListening = named(
  'requests.note_listening',
  `insert into millrace.request_listeners (request_id, listener, listens_until)
   select r.id, $2::text, clock_timestamp() + r.ms * interval '1 millisecond'
   from unnest($1::uuid[], $3::float8[]) as r(id, ms) order by r.id
   on conflict (request_id, listener) do update set listens_until = excluded.listens_until`,
);

/** $1 how many: requests that are left by a listener and that nobody else listens to. */
const listLeft = named(
  'requests.list_left',
  `select distinct l.listens_until, l.request_id as id from millrace.request_listeners l
   where l.listens_until < clock_timestamp()
     and not exists (select from millrace.request_listeners o where o.request_id = l.request_id and o.listens_until >= clock_timestamp())
   order by l.listens_until, id limit $1`,
);

/** $1 requests, whose listeners have left: they are forgotten. */
const forgetLeft = named(
  'requests.forget_left',
  `delete from millrace.request_listeners l using (
     select request_id as id, listener from millrace.request_listeners
     where request_id = any($1::uuid[]) and listens_until < clock_timestamp() order by listener, id for update skip locked) g
   where l.request_id = g.id and l.listener = g.listener`,
);

/** $1 how many: listeners that have left requests to which others listen. */
const forgetSome = named(
  'requests.forget_some_listeners',
  `delete from millrace.request_listeners l using (
     select o.request_id as id, o.listener from millrace.request_listeners o where o.listens_until < clock_timestamp() - interval '1 minute'
     order by o.listens_until, o.listener, id limit $1 for update skip locked) g
   where l.request_id = g.id and l.listener = g.listener`,
);

const listensMs = 30_000;
const prolongEveryMs = 10_000;
const slice = 200;

export interface RequestListenersOptions {
  readonly database: SqlDatabase;
  readonly clock: Clock;
  readonly logger: Logger;
  /** This process. */
  readonly listener: string;
  /** Cancels a request that nobody listens to; one that has ended stays as it is. */
  readonly cancel: (id: Uuid) => Promise<void>;
}

interface Listened {
  readonly graceMs: number;
  readers: number;
}

export class RequestListeners {
  readonly #options: RequestListenersOptions;
  readonly #listened = new Map<Uuid, Listened>();
  /** Writes are made one after another, so that "left" never comes before "listens". */
  #writing: Promise<void> = Promise.resolve();
  #prolongedMs = -Infinity;

  constructor(options: RequestListenersOptions) {
    this.#options = options;
  }

  /** A reader has come. Resolves when that is noted; answers what to call when it leaves. */
  async listen(id: Uuid, graceMs: number): Promise<() => void> {
    const known = this.#listened.get(id) ?? { graceMs, readers: 0 };
    known.readers += 1;
    this.#listened.set(id, known);
    let hasLeft = false;
    const leave = (): void => {
      if (hasLeft) return;
      hasLeft = true;
      this.#leave(id, known);
    };
    try {
      if (known.readers === 1) await this.#note([[id, listensMs + graceMs]]);
      else await this.#writing;
    } catch (error) {
      leave();
      throw error;
    }
    return leave;
  }

  /** One turn of every process: prolongs what it listens to. */
  async prolong(): Promise<boolean> {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#listened.size === 0 || nowMs - this.#prolongedMs < prolongEveryMs) return false;
    this.#prolongedMs = nowMs;
    await this.#note([...this.#listened].map(([id, { graceMs }]) => [id, listensMs + graceMs]));
    return false;
  }

  /** One turn of the maintenance role: cancels what nobody listens to. True when there may be more. */
  async cancelLeft(): Promise<boolean> {
    const { database, cancel, logger } = this.#options;
    const { rows } = await database.query<{ id: Uuid }>(listLeft, [slice]);
    const done: Uuid[] = [];
    for (const { id } of rows) {
      try {
        await cancel(id);
        done.push(id);
      } catch (error) {
        logger.warn({ error, requestId: id }, 'a request that nobody listens to could not be cancelled yet');
      }
    }
    if (done.length > 0) await database.query(forgetLeft, [done]);
    else await database.query(forgetSome, [slice]);
    return done.length === slice;
  }

  /** Resolves when what was noted is written. */
  async close(): Promise<void> {
    await this.#writing;
  }

  #leave(id: Uuid, listened: Listened): void {
    listened.readers -= 1;
    if (listened.readers > 0) return;
    if (this.#listened.get(id) === listened) this.#listened.delete(id);
    this.#note([[id, listened.graceMs]]).catch((error: unknown) => {
      // The time until which it counts as listening passes by itself.
      this.#options.logger.debug({ error, requestId: id }, 'that a reader left is not noted');
    });
  }

  async #note(entries: readonly (readonly [id: Uuid, forMs: number])[]): Promise<void> {
    const { database, listener } = this.#options;
    const write = async (): Promise<void> => {
      await database.query(noteListening, [
        entries.map(([id]) => id),
        listener,
        entries.map(([, forMs]) => forMs),
      ]);
    };
    const written = this.#writing.then(write);
    this.#writing = written.catch(() => undefined);
    await written;
  }
}
