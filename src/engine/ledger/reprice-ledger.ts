import { type JsonRow, jsonRow, jsonRows } from '../../drivers/sql-database/json-rows.ts';
import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import { named } from '../../drivers/sql-database/sql-statement.ts';
import { timeId, type Uuid } from '../../kernel/ids.ts';
import { formatUsd, type Usd } from '../../kernel/money.ts';
import {
  type CorrectableCall,
  correctableCallOf,
  correctableColumns,
  type CorrectableRow,
} from './correction-ledger.ts';
import type { OperationRecord } from './operation-record.ts';
import { recordAction } from './operator-action.ts';
import { fromSpent, moveAmounts } from './quota-sql.ts';
import type { Settlement } from './settlement.ts';

/*
 * Calls whose cost is computed again. Ids of calls begin with the time at which they were asked for, a little before that of the ledger: a
 * walk by ids through a margin around the period meets every call of it, a bounded slice at a time.
 */

/** A call that was settled: what its price was, and what it may be priced by again. */
export interface SettledRow extends CorrectableCall {
  readonly rawUsage: string | undefined;
  readonly priceReference: string | undefined;
  /** What named anybody is taken out, the provider's own words with it. */
  readonly isErased: boolean;
}

/** Which calls: sent in the period, and of these where they are named. */
export interface RepricingRange {
  readonly from: Date;
  readonly to: Date;
  readonly provider?: string | undefined;
  readonly model?: string | undefined;
  readonly team?: string | undefined;
}

/** Calls of one slice; the walk goes on after `next`, if there is one. */
export interface SettledSlice {
  readonly calls: readonly SettledRow[];
  readonly next: Uuid | undefined;
}

/** What the row of a call is to say of its cost, with the rendered correction. */
export interface RepricedRow {
  readonly call: SettledRow;
  readonly settlement: Settlement;
  readonly costUsd: Usd;
  readonly costDetail: string | undefined;
  readonly upperBoundUsd: Usd | undefined;
  readonly priceReference: string;
  readonly priceCatalogue: string;
  readonly line: string;
}

/** How far the time in the id of a call may lie from its time. */
const marginMs = 86_400_000;

/** What pricing reads of the call c and its message m. */
const settledColumns = `${correctableColumns}, c.raw_usage, c.price_reference, c.request_digest = 'erased' as is_erased`;

/** $1 the id of a call that has ended. */
const findPricedCall = named(
  'ledger.find_priced_call',
  `select ${settledColumns} from millrace.calls c left join millrace.messages m on m.id = c.message_id
   where c.id = $1::uuid and c.state in ('settled', 'unsettled')`,
);

/**
 * $1 the id after which to look, $2 the last, $3 how many rows to look at, $4 and $5 the period, $6 provider, $7 model, $8 team. A row
 * without a call where none of them matches.
 */
const listSettled = named(
  'ledger.list_settled_calls',
  `with looked as materialized (
     select c.id from millrace.calls c where c.id > $1::uuid and c.id < $2::uuid order by c.id limit $3),
   reached as (select count(*)::int as looked, (select l.id from looked l order by l.id desc limit 1) as last_id from looked)
   select r.looked, r.last_id, s.* from reached r left join (
     select ${settledColumns}
     from looked l join millrace.calls c on c.id = l.id left join millrace.messages m on m.id = c.message_id
     where c.state = 'settled' and c.reserved_at >= $4::timestamptz and c.reserved_at < $5::timestamptz
       and ($6::text is null or c.provider = $6) and ($7::text is null or c.model = $7)
       and ($8::text is null or coalesce(m.team, c.origin::json ->> 'team') = $8)) s on true
   order by s.id`,
);

/**
 * $1 calls with what they were priced as and what they are to be; $2 the audit's id, $3 actor, $4 target, $5 detail, $6 reason. Each is
 * changed only while its row says what was read. The quotas get the difference, and the audit one row an operation.
 */
const repriceCalls = named(
  'ledger.reprice_calls',
  `with told as materialized (
     select * from json_to_recordset($1::json) as s(id uuid, was_settlement text, was_tokens text, was_usd numeric, was_detail text,
       was_bound_usd numeric, was_waste text, settlement text, cost_usd numeric, cost_detail text, upper_bound_usd numeric,
       price_reference text, price_catalogue text, line text)),
   open as materialized (
     select c.id, c.quotas, c.quota_usd, c.quota_tokens from millrace.calls c join told s on s.id = c.id
     where c.state = 'settled' and c.settlement = s.was_settlement and c.tokens is not distinct from s.was_tokens
       and c.cost_usd is not distinct from s.was_usd and c.cost_detail is not distinct from s.was_detail
       and c.upper_bound_usd is not distinct from s.was_bound_usd and c.waste_reason is not distinct from s.was_waste
     order by c.id for update of c),
   moved_calls as (
     update millrace.calls c
     set settlement = s.settlement, cost_usd = s.cost_usd, cost_detail = s.cost_detail, upper_bound_usd = s.upper_bound_usd,
       price_reference = s.price_reference, price_catalogue = s.price_catalogue,
       quota_usd = case when o.quotas is not null then s.cost_usd end
     from told s join open o on o.id = s.id where c.id = o.id
     returning c.id, s.line, o.quotas, o.quota_usd as was_usd, c.quota_usd as is_usd,
       o.quota_tokens as was_tokens, o.quota_tokens as is_tokens),
   recorded as (
     insert into millrace.outbox (target, line) select 'usage', line from moved_calls order by id),
   audited as (
     ${recordAction({
       id: '$2::uuid',
       actor: '$3',
       action: "'prices.reprice'",
       target: '$4',
       affected: 'm.calls',
       detail: '$5::json',
       reason: '$6',
       from: '(select count(*)::int as calls from moved_calls) m where m.calls > 0',
       repeated: 'adds',
     })}),${moveAmounts(fromSpent)}
   select id from moved_calls`,
);

/** $1 the audit's id, $2 actor: whether the entry is there and is of something else. */
const isOfAnother = named(
  'ledger.is_operation_of_another',
  `select 1 as found from millrace.operator_actions a
   where a.id = $1::uuid and not (a.action = 'prices.reprice' and a.actor = $2::text)`,
);

/** How many calls sent in a period have left the ledger, by the days on which they were settled. $1 and $2 the period, $3 team. */
const countPruned = named(
  'ledger.count_pruned_calls',
  `select to_char(day, 'YYYY-MM') as month, sum(calls)::int as calls from millrace.pruned_totals
   where day >= ($1::timestamptz at time zone 'UTC')::date and day <= ($2::timestamptz at time zone 'UTC')::date
     and ($3::text is null or team = $3)
   group by 1 order by 1`,
);

type SettledCallRow = CorrectableRow & {
  readonly raw_usage: string | null;
  readonly price_reference: string | null;
  readonly is_erased: boolean;
};

type SliceRow = SettledCallRow & {
  readonly looked: number;
  readonly last_id: Uuid | null;
  readonly id: Uuid | null;
};

/** Calls of a month ("2026-03") that were pruned. */
export interface PrunedMonth {
  readonly month: string;
  readonly calls: number;
}

/** The ledger's part about calls that are priced anew. */
export class RepriceLedger {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** The settled calls among the next `rows` rows after `after`, or from the beginning. */
  async slice(range: RepricingRange, rows: number, after?: Uuid): Promise<SettledSlice> {
    const { from, to, provider, model, team } = range;
    const result = await this.#database.query<SliceRow>(listSettled, [
      after ?? timeId(new Date(Math.max(0, from.getTime() - marginMs))),
      timeId(new Date(to.getTime() + marginMs)),
      rows,
      from,
      to,
      provider ?? null,
      model ?? null,
      team ?? null,
    ]);
    const [first] = result.rows;
    const isLast = first === undefined || first.looked < rows || first.last_id === null;
    return {
      calls: result.rows.filter(({ id }) => id !== null).map((row) => settledRowOf(row)),
      next: isLast ? undefined : (first.last_id ?? undefined),
    };
  }

  /** A call that has ended. */
  async find(id: Uuid): Promise<SettledRow | undefined> {
    const { rows } = await this.#database.query<SettledCallRow>(findPricedCall, [id]);
    const [row] = rows;
    return row === undefined ? undefined : settledRowOf(row);
  }

  /** Makes new costs durable with their records. Answers the ids of those whose rows still said what was read. */
  async reprice(calls: readonly RepricedRow[], audit: OperationRecord): Promise<ReadonlySet<Uuid>> {
    const { rows } = await this.#database.query<{ id: Uuid }>(repriceCalls, [
      jsonRows(calls.map((call) => repricedRow(call))),
      audit.id,
      audit.actor,
      audit.target,
      JSON.stringify(audit.detail),
      audit.reason,
    ]);
    return new Set(rows.map(({ id }) => id));
  }

  /** Whether the audit has an entry of this id that is no repricing by the actor. */
  async isOfAnother(id: Uuid, actor: string): Promise<boolean> {
    const { rows } = await this.#database.query(isOfAnother, [id, actor]);
    return rows.length > 0;
  }

  /** How many calls of about the period are in the ledger no more, by the month (of UTC) in which they were settled. */
  async countPruned({ from, to, team }: RepricingRange): Promise<readonly PrunedMonth[]> {
    const { rows } = await this.#database.query<PrunedMonth>(countPruned, [from, to, team ?? null]);
    return rows.map(({ month, calls }) => ({ month, calls }));
  }
}

function settledRowOf(row: SettledCallRow): SettledRow {
  return {
    ...correctableCallOf(row),
    rawUsage: row.raw_usage ?? undefined,
    priceReference: row.price_reference ?? undefined,
    isErased: row.is_erased,
  };
}

function repricedRow({ call, ...now }: RepricedRow): JsonRow {
  const amount = (value: Usd | undefined) => (value === undefined ? undefined : formatUsd(value));
  return jsonRow('reprice', () => ({
    id: call.id,
    was_settlement: call.settlement,
    was_tokens: call.storedTokens,
    was_usd: amount(call.costUsd),
    was_detail: call.costDetail,
    was_bound_usd: amount(call.upperBoundUsd),
    was_waste: call.wasteReason,
    settlement: now.settlement,
    cost_usd: formatUsd(now.costUsd),
    cost_detail: now.costDetail,
    upper_bound_usd: amount(now.upperBoundUsd),
    price_reference: now.priceReference,
    price_catalogue: now.priceCatalogue,
    line: now.line,
  }));
}
