import type { SqlDatabase, SqlExecutor } from '../../drivers/sql-database/sql-database.ts';
import { named } from '../../drivers/sql-database/sql-statement.ts';
import type { Fault } from '../../kernel/app-error.ts';
import { invariant } from '../../kernel/invariant.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { contentDigest, PriceOverlay } from '../../pricing/overlay.ts';
import {
  entriesClash,
  entrySpan,
  type OverlayEntry,
  type OverlayInput,
  parseOverlayContent,
} from '../../pricing/overlay-content.ts';
import { recordAction } from './operator-action.ts';

/** A price in the format of the overlay, as it is written. */
export type OverrideEntry = NonNullable<OverlayInput['prices']>[number];

/** A price that an operator has set. */
export interface PriceOverride {
  readonly id: Uuid;
  /** As it was written. */
  readonly entry: OverrideEntry;
  /** With what it leaves out. */
  readonly price: OverlayEntry;
  readonly actor: string;
  readonly reason: string;
  readonly setAt: Date;
}

/** A row that is left out: no price of the format, or one that overlaps another that was set before it. */
export interface UnreadableOverride {
  readonly id: Uuid;
  /** As it is stored. */
  readonly text: string;
  readonly problem: string;
  readonly actor: string;
  readonly reason: string;
  readonly setAt: Date;
}

/** All rows, each in the order in which they were set. */
export interface SetPrices {
  readonly overrides: readonly PriceOverride[];
  readonly unreadable: readonly UnreadableOverride[];
}

/** What became of an override that was to end. "removed" also where it had not held for a millisecond. */
export type EndOutcome = 'ended' | 'removed' | 'not_there' | 'over' | 'unreadable';

/** Who does it, and why. */
export interface OverrideOperation {
  /** In the audit. */
  readonly id: Uuid;
  readonly actor: string;
  readonly reason: string;
}

/** The overrides that hold, or what is wrong with the one that was to join them. */
export type OverrideOutcome =
  | { readonly kind: 'set'; readonly override: PriceOverride }
  | { readonly kind: 'refused'; readonly faults: readonly Fault[] };

/** How many there may be: every process reads them all. */
const maxOverrides = 1_000;

const listOverrides = named(
  'prices.list_overrides',
  'select o.id, o.entry, o.actor, o.reason, o.set_at from millrace.price_overrides o order by o.set_at, o.id',
);

/** One at a time: each is checked against all others. */
const lockOverrides = named('prices.lock_overrides', 'select pg_advisory_xact_lock(7163083)');

/** $1 the id, which is the audit's too, $2 the entry, $3 actor, $4 reason, $5 the model in words. */
const insertOverride = named(
  'prices.insert_override',
  `with written as (
     insert into millrace.price_overrides (id, entry, actor, reason) values ($1::uuid, $2, $3, $4) returning id),
   audited as (
     ${recordAction({
       id: '$1::uuid',
       actor: '$3',
       action: "'prices.set'",
       target: "'price of ' || $5::text",
       detail: "json_build_object('to', $2::json)",
       reason: '$4',
       from: 'written',
     })})
   select id from written`,
);

/** $1 the override, $2 its entry from now on, or null to remove it; $3 the audit's id, $4 actor, $5 reason, $6 the target in words, $7 its entry before, as JSON. */
const endOverride = named(
  'prices.end_override',
  `with before as materialized (select o.id from millrace.price_overrides o where o.id = $1::uuid for update of o),
   changed as (update millrace.price_overrides o set entry = $2 from before b where o.id = b.id and $2::text is not null),
   gone as (delete from millrace.price_overrides o using before b where o.id = b.id and $2::text is null),
   audited as (
     ${recordAction({
       id: '$3::uuid',
       actor: '$4',
       action: "'prices.unset'",
       target: '$6::text',
       detail: "json_build_object('from', $7::json, 'to', $2::json)",
       reason: '$5',
       from: 'before',
     })})
   select id from before`,
);

interface OverrideRow {
  readonly id: Uuid;
  readonly entry: string;
  readonly actor: string;
  readonly reason: string;
  readonly set_at: Date;
}

/** The prices that operators have set, in the ledger: every process reads them there. */
export class PriceOverrides {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** What cannot be read is told beside the rest, and never keeps the rest from being read. */
  async read(): Promise<SetPrices> {
    return await readFrom(this.#database);
  }

  /** Adds a price, unless it cannot stand beside the others. Audited. */
  async set(entry: OverrideEntry, { id, actor, reason }: OverrideOperation): Promise<OverrideOutcome> {
    return await this.#database.transaction(async (transaction) => {
      await transaction.query(lockOverrides);
      const { overrides: others, unreadable } = await readFrom(transaction);
      if (others.length + unreadable.length >= maxOverrides)
        return {
          kind: 'refused',
          faults: [{ field: 'model', problem: `has no room: there are ${maxOverrides} overrides` }],
        };
      const parsed = parseOverlayContent({ prices: [...others.map((other) => other.entry), entry] });
      if ('faults' in parsed)
        return { kind: 'refused', faults: parsed.faults.map((fault) => ofEntry(fault, others)) };
      await transaction.query(insertOverride, [id, JSON.stringify(entry), actor, reason, nameOf(entry)]);
      const override = (await readFrom(transaction)).overrides.find((one) => one.id === id);
      invariant(override !== undefined, 'an override that was set is there');
      return { kind: 'set', override };
    });
  }

  /**
   * An override holds until now, or never held: with `entirely`, or where it has not begun before now. Neither the entry nor the time is
   * read before the lock is held, so that of two who end it one finds it over. Only `entirely` removes what cannot be read. Audited.
   */
  async end(
    target: string,
    { entirely, now }: { readonly entirely: boolean; readonly now: () => Date },
    operation: OverrideOperation,
  ): Promise<EndOutcome> {
    return await this.#database.transaction(async (transaction) => {
      await transaction.query(lockOverrides);
      const { overrides, unreadable } = await readFrom(transaction);
      const lost = unreadable.find((one) => one.id === target);
      if (lost !== undefined) {
        if (!entirely) return 'unreadable';
        const name = `price override ${lost.id}, which could not be read`;
        await writeEnd(transaction, { id: lost.id, name, before: JSON.stringify(lost.text) }, operation);
        return 'removed';
      }
      const override = overrides.find((one) => one.id === target);
      if (override === undefined) return 'not_there';
      const { id, entry, price } = override;
      const at = now();
      if (overrideState(price, at) === 'over' && !entirely) return 'over';
      const change = { id, name: `price of ${nameOf(entry)}`, before: JSON.stringify(entry) };
      if (entirely || at.getTime() <= entrySpan(price).fromMs) {
        await writeEnd(transaction, change, operation);
        return 'removed';
      }
      const after = JSON.stringify({ ...entry, until: at.toISOString() });
      await writeEnd(transaction, { ...change, after }, operation);
      return 'ended';
    });
  }
}

/** Whether a price holds at a time. */
export function overrideState(price: OverlayEntry, at: Date): 'in_force' | 'to_come' | 'over' {
  const { fromMs, untilMs } = entrySpan(price);
  if (at.getTime() >= untilMs) return 'over';
  return at.getTime() < fromMs ? 'to_come' : 'in_force';
}

/** The overrides as a catalogue; undefined where there is none. */
export function catalogueOf(overrides: readonly PriceOverride[]): PriceOverlay | undefined {
  if (overrides.length === 0) return undefined;
  const prices = overrides.map(({ entry }) => entry);
  const parsed = parseOverlayContent({ prices });
  invariant(!('faults' in parsed), 'overrides that were set can stand beside each other');
  return new PriceOverlay(`overrides:${contentDigest(JSON.stringify(prices))}`, parsed.content);
}

async function writeEnd(
  transaction: SqlExecutor,
  change: { readonly id: Uuid; readonly name: string; readonly before: string; readonly after?: string },
  { id, actor, reason }: OverrideOperation,
): Promise<void> {
  const { rows } = await transaction.query(endOverride, [
    change.id,
    change.after ?? null,
    id,
    actor,
    reason,
    change.name,
    change.before,
  ]);
  invariant(rows.length === 1, 'an override that was read under the lock is there');
}

async function readFrom(executor: SqlExecutor): Promise<SetPrices> {
  const { rows } = await executor.query<OverrideRow>(listOverrides);
  const overrides: PriceOverride[] = [];
  const unreadable: UnreadableOverride[] = [];
  for (const { id, entry: text, actor, reason, set_at: setAt } of rows) {
    const row = { id, actor, reason, setAt };
    const read = readEntry(text);
    if ('problem' in read) {
      unreadable.push({ ...row, text, problem: read.problem });
      continue;
    }
    const other = overrides.find(({ price }) => entriesClash(price, read.price));
    if (other === undefined) overrides.push({ ...row, ...read });
    else unreadable.push({ ...row, text, problem: `overlaps the override ${other.id} in time` });
  }
  return { overrides, unreadable };
}

function readEntry(text: string): Pick<PriceOverride, 'entry' | 'price'> | { readonly problem: string } {
  let entry: OverrideEntry;
  try {
    entry = JSON.parse(text) as OverrideEntry;
  } catch {
    return { problem: 'is not JSON' };
  }
  const parsed = parseOverlayContent({ prices: [entry] });
  if ('faults' in parsed)
    return {
      problem: parsed.faults
        .map(({ field, problem }) => `${field.replace(/^prices\.0\.?/, '')} ${problem}`.trim())
        .join('; '),
    };
  const [price] = parsed.content.prices;
  invariant(price !== undefined, 'one entry that was read is one price');
  return { entry, price };
}

/** A fault by the field of the new entry, and in words about another override. */
function ofEntry({ field, problem }: Fault, others: readonly PriceOverride[]): Fault {
  const place = `prices.${others.length}`;
  const words = problem.replaceAll(
    /prices\.(\d+)/g,
    (_, index) => `the override ${others[Number(index)]?.id ?? 'itself'}`,
  );
  return { field: field === place ? 'model' : field.replace(`${place}.`, ''), problem: words };
}

function nameOf({ provider, model }: OverrideEntry): string {
  return `${provider}/${model}`;
}
