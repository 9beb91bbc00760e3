import type { SqlDatabase, SqlStatement } from '../../drivers/sql-database/sql-database.ts';
import type { AppError } from '../../kernel/app-error.ts';
import { cut } from '../../kernel/fault.ts';
import type { EventRecord } from './source/event-source.ts';

/** An event of which no message can be made, and why. */
export interface UnreadableEvent {
  readonly record: EventRecord;
  readonly error: AppError;
}

const maxPayloadBytes = 65_536;
const maxHeaders = 64;
const maxHeaderCharacters = 1024;
const maxDetailCharacters = 1000;

const keepEvents: SqlStatement = {
  name: 'triggers.keep_unreadable',
  text: `insert into millrace.unreadable_events
     (trigger, partition, position, key, headers, payload, payload_bytes, sent_at, error_code, error_detail)
   select $1, r.partition, r.position, r.key, r.headers, decode(r.payload, 'base64'), r.payload_bytes, r.sent_at, r.error_code, r.error_detail
   from json_to_recordset($2::json) as r(partition text, position text, key text, headers jsonb, payload text, payload_bytes int,
     sent_at timestamptz, error_code text, error_detail text)
   on conflict do nothing returning position`,
};

const forgetEvents: SqlStatement = {
  name: 'triggers.forget_unreadable',
  text: `with old as (select trigger, partition, position from millrace.unreadable_events
     where received_at < clock_timestamp() - $1 * interval '1 day' order by received_at, trigger, partition, position limit $2)
   delete from millrace.unreadable_events u using old
   where u.trigger = old.trigger and u.partition = old.partition and u.position = old.position`,
};

/** Keeps events of which no message can be made, each once, as they came and within bounds. */
export class UnreadableEvents {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** Durable when it resolves. Answers how many are new. */
  async keep(trigger: string, events: readonly UnreadableEvent[]): Promise<number> {
    const rows = events.map(({ record, error }) => ({
      partition: storable(record.partition, maxHeaderCharacters),
      position: storable(record.position, maxHeaderCharacters),
      key: record.key === undefined ? null : storable(record.key, maxHeaderCharacters),
      headers: Object.fromEntries(
        Object.entries(record.headers)
          .slice(0, maxHeaders)
          .map(([name, value]) => [
            storable(name, maxHeaderCharacters),
            storable(value, maxHeaderCharacters),
          ]),
      ),
      payload: record.payload.subarray(0, maxPayloadBytes).toString('base64'),
      payload_bytes: record.payload.length,
      sent_at: record.sentAt?.toISOString() ?? null,
      error_code: error.code,
      error_detail: storable(error.message, maxDetailCharacters),
    }));
    const { rows: kept } = await this.#database.query(keepEvents, [trigger, JSON.stringify(rows)]);
    return kept.length;
  }

  /** Deletes at most `limit` that are older than this; true when there may be more. */
  async forget(days: number, limit: number): Promise<boolean> {
    return (await this.#database.query(forgetEvents, [days, limit])).affected === limit;
  }
}

/** Text that the database takes: no U+0000, well-formed, cut. */
function storable(text: string, characters: number): string {
  return cut(text.replaceAll('\0', '\u{FFFD}').toWellFormed(), characters);
}
