import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import { named } from '../../drivers/sql-database/sql-statement.ts';
import type { Uuid } from '../../kernel/ids.ts';

/* Reading the audit: what operators have changed, newest first. Every capability writes it, see the engine's `recordAction`. */

/** Which entries. A part that is absent selects everything. */
export interface AuditFilter {
  readonly actor?: string | undefined;
  /** An action, or what actions are of: "keys" selects "keys.create" and the others. */
  readonly action?: string | undefined;
  readonly target?: string | undefined;
  readonly team?: string | undefined;
  /** From this moment on … */
  readonly from?: Date | undefined;
  /** … and before this one. */
  readonly to?: Date | undefined;
}

/** A place in the list: when the operation was, in microseconds, and its id. */
export interface AuditPlace {
  readonly atUs: string;
  readonly id: Uuid;
}

/** One operation. */
export interface AuditEntry {
  readonly id: Uuid;
  readonly at: Date;
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly team: string | undefined;
  readonly affected: number;
  readonly reason: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface AuditPage {
  readonly entries: readonly AuditEntry[];
  /** Where the next page begins; undefined when this is the last. */
  readonly next: AuditPlace | undefined;
}

/** How many entries a page looks at when its filter is narrower than a team and times. */
const lookedAtMost = 2000;

/**
 * $1 the only team, $2 and $3 the times, $4 and $5 the place of the last one seen, $6 how many are looked at; $7 actor, $8 action,
 * $9 target; $10 how many are wanted. The first row carries how many were looked at and the last of them, even when nothing matches.
 */
const listEntries = named(
  'access.list_audit',
  `with looked as materialized (
     select o.* from millrace.operator_actions o
     where ($1::text is null or o.team = $1::text)
       and o.at >= coalesce($2::timestamptz, '-infinity') and o.at < coalesce($3::timestamptz, 'infinity')
       and (o.at, o.id) < (
         coalesce(timestamptz 'epoch' + $4::bigint * interval '1 microsecond', 'infinity'),
         coalesce($5::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
     order by o.at desc, o.id desc limit $6),
   place as (
     select (select count(*)::int from looked) as looked, last.at as last_at, last.id as last_id
     from (select 1) one left join lateral (select l.at, l.id from looked l order by l.at, l.id limit 1) last on true),
   found as (
     select l.* from looked l
     where ($7::text is null or l.actor = $7::text)
       and ($8::text is null or l.action = $8::text or starts_with(l.action, $8::text || '.'))
       and ($9::text is null or l.target = $9::text)
     order by l.at desc, l.id desc limit $10)
   select p.looked, (extract(epoch from p.last_at) * 1000000)::bigint::text as last_us, p.last_id,
     f.id, f.at, f.actor, f.action, f.target, f.team, f.affected, f.reason, f.detail,
     (extract(epoch from f.at) * 1000000)::bigint::text as at_us
   from place p left join found f on true
   order by f.at desc, f.id desc`,
);

interface PlaceRow {
  readonly looked: number;
  readonly last_us: string | null;
  readonly last_id: Uuid | null;
}

interface EntryRow extends PlaceRow {
  readonly id: Uuid;
  readonly at: Date;
  readonly at_us: string;
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly team: string | null;
  readonly affected: number;
  readonly reason: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** The audit, as people read it. */
export class AuditLog {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** A page, newest first. It may hold fewer than `limit`, even none, though there are more: then it has a next. */
  async list(
    { team, from, to, actor, action, target }: AuditFilter,
    { limit, after }: { readonly limit: number; readonly after?: AuditPlace | undefined },
  ): Promise<AuditPage> {
    const isNarrowed = actor !== undefined || action !== undefined || target !== undefined;
    const looks = isNarrowed ? Math.max(lookedAtMost, limit + 1) : limit + 1;
    const parameters = [team, from, to, after?.atUs, after?.id, looks, actor, action, target, limit + 1];
    const { rows } = await this.#database.query<EntryRow | (PlaceRow & { readonly id: null })>(
      listEntries,
      parameters,
    );
    const found = rows.filter((row): row is EntryRow => row.id !== null);
    const shown = found.slice(0, limit);
    return {
      entries: shown.map((row) => entryOf(row)),
      next: nextOf(found.length > limit ? shown.at(-1) : undefined, rows[0], looks),
    };
  }
}

/** Behind the last one shown when more was found; else behind the last one looked at, when there may be more. */
function nextOf(
  last: EntryRow | undefined,
  place: PlaceRow | undefined,
  looks: number,
): AuditPlace | undefined {
  if (last !== undefined) return { atUs: last.at_us, id: last.id };
  if (place === undefined || place.looked < looks || place.last_us === null || place.last_id === null)
    return undefined;
  return { atUs: place.last_us, id: place.last_id };
}

function entryOf({ id, at, actor, action, target, team, affected, reason, detail }: EntryRow): AuditEntry {
  return { id, at, actor, action, target, team: team ?? undefined, affected, reason, detail };
}
