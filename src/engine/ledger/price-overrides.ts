import type { SqlDatabase, SqlExecutor } from '../../drivers/sql-database/sql-database.ts';
import { named } from '../../drivers/sql-database/sql-statement.ts';
import type { Fault } from '../../kernel/app-error.ts';
import { invariant } from '../../kernel/invariant.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { contentDigest, PriceOverlay } from '../../pricing/overlay.ts';
import { type OverlayEntry, type OverlayInput, parseOverlayContent } from '../../pricing/overlay-content.ts';
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

/** $1 the override, $2 its entry from now on, or null to remove it; $3 the audit's id, $4 actor, $5 reason, $6 the model in words. */
const endOverride = named(
  'prices.end_override',
  `with before as materialized (select o.id, o.entry from millrace.price_overrides o where o.id = $1::uuid for update of o),
   changed as (update millrace.price_overrides o set entry = $2 from before b where o.id = b.id and $2::text is not null),
   gone as (delete from millrace.price_overrides o using before b where o.id = b.id and $2::text is null),
   audited as (
     ${recordAction({
       id: '$3::uuid',
       actor: '$4',
       action: "'prices.unset'",
       target: "'price of ' || $6::text",
       detail: "json_build_object('from', entry::json, 'to', $2::json)",
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

  /** In the order in which they were set. */
  async read(): Promise<readonly PriceOverride[]> {
    return await readFrom(this.#database);
  }

  /** Adds a price, unless it cannot stand beside the others. Audited. */
  async set(entry: OverrideEntry, { id, actor, reason }: OverrideOperation): Promise<OverrideOutcome> {
    return await this.#database.transaction(async (transaction) => {
      await transaction.query(lockOverrides);
      const others = await readFrom(transaction);
      if (others.length >= maxOverrides)
        return {
          kind: 'refused',
          faults: [{ field: 'model', problem: `has no room: there are ${maxOverrides} overrides` }],
        };
      const parsed = parseOverlayContent({ prices: [...others.map((other) => other.entry), entry] });
      if ('faults' in parsed)
        return { kind: 'refused', faults: parsed.faults.map((fault) => ofEntry(fault, others)) };
      await transaction.query(insertOverride, [id, JSON.stringify(entry), actor, reason, nameOf(entry)]);
      const override = (await readFrom(transaction)).find((one) => one.id === id);
      invariant(override !== undefined, 'an override that was set is there');
      return { kind: 'set', override };
    });
  }

  /** An override holds until a time, or, without one, never held. False: it is not there. Audited. */
  async end(
    override: PriceOverride,
    until: Date | undefined,
    operation: OverrideOperation,
  ): Promise<boolean> {
    const { entry } = override;
    const ended = until === undefined ? null : JSON.stringify({ ...entry, until: until.toISOString() });
    const { id, actor, reason } = operation;
    const { rows } = await this.#database.query(endOverride, [
      override.id,
      ended,
      id,
      actor,
      reason,
      nameOf(entry),
    ]);
    return rows.length === 1;
  }
}

/** The overrides as a catalogue; undefined where there is none. */
export function catalogueOf(overrides: readonly PriceOverride[]): PriceOverlay | undefined {
  if (overrides.length === 0) return undefined;
  const prices = overrides.map(({ entry }) => entry);
  const parsed = parseOverlayContent({ prices });
  invariant(!('faults' in parsed), 'overrides that were set can stand beside each other');
  return new PriceOverlay(`overrides:${contentDigest(JSON.stringify(prices))}`, parsed.content);
}

async function readFrom(executor: SqlExecutor): Promise<readonly PriceOverride[]> {
  const { rows } = await executor.query<OverrideRow>(listOverrides);
  return rows.map(({ id, entry: text, actor, reason, set_at: setAt }) => {
    const entry = JSON.parse(text) as OverrideEntry;
    const parsed = parseOverlayContent({ prices: [entry] });
    const price = 'content' in parsed ? parsed.content.prices[0] : undefined;
    invariant(price !== undefined, 'an override that was set is a price');
    return { id, entry, price, actor, reason, setAt };
  });
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
