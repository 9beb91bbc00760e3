import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import { named } from '../../drivers/sql-database/sql-statement.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { formatUsd, type Usd, usd } from '../../kernel/money.ts';
import type { TokenCounts } from '../../pricing/token-classes.ts';
import { type AttributedCall, type AttributedCallRow, attributedCallOf } from './attributed-call.ts';
import { fromSpent, moveAmounts, tokensOfCall } from './quota-sql.ts';
import { type CostParts, partsOfRow } from './cost-parts.ts';
import type { OperationRecord } from './operation-record.ts';
import { recordAction } from './operator-action.ts';
import type { CallOutcome, Settlement, WasteReason } from './settlement.ts';

/** A call that has ended, as its correction has to know it. */
export interface CorrectableCall extends AttributedCall {
  readonly state: 'settled' | 'unsettled';
  readonly outcome: CallOutcome;
  readonly settlement: Settlement;
  readonly answeredModel: string | undefined;
  readonly isSuspect: boolean;
  readonly tokens: TokenCounts;
  /** Undefined when no price is known, or nobody knows the usage. */
  readonly costUsd: Usd | undefined;
  /** Undefined where the row has a cost and not its parts. */
  readonly costParts: CostParts | undefined;
  readonly costDetail: string | null;
  readonly wasteReason: WasteReason | undefined;
  /** The counts as the row has them, to tell whether it has changed meanwhile. */
  readonly storedTokens: string | null;
}

/** What a call's usage truly was. */
export interface UsageCorrection {
  readonly call: CorrectableCall;
  readonly tokens: TokenCounts;
  readonly costUsd: Usd;
  readonly priceReference: string | undefined;
  readonly priceCatalogue: string | undefined;
  /** The cost by class as the row keeps it; undefined where it has none. */
  readonly costDetail: string | undefined;
  /** The rendered correction record. */
  readonly line: string;
}

/** Its row, with its message's. */
export interface CorrectableRow extends AttributedCallRow {
  readonly state: 'settled' | 'unsettled';
  readonly outcome: CallOutcome;
  readonly settlement: Settlement;
  readonly answered_model: string | null;
  readonly is_suspect: boolean;
  readonly tokens: string | null;
  readonly cost_usd: string | null;
  readonly cost_detail: string | null;
  readonly waste_reason: WasteReason | null;
}

/** What a correction reads of the call c and its message m. */
export const correctableColumns = `c.id, c.message_id, c.origin as call_origin, c.step, c.attempt, c.provider, c.model, c.operation, c.tier, c.request_kind,
     c.fallback_from, c.shared_request, c.cascade_place, c.cascade_models, c.via, c.reserved_at, c.upper_bound_usd, c.state, c.outcome, c.settlement, c.answered_model, c.is_suspect, c.tokens,
     c.cost_usd, c.cost_detail, c.waste_reason, m.root_id, m.pipeline, m.stage, m.owner, m.team, m.customer, m.feature, m.batch, m.labels,
     m.item, m.trace_parent`;

/** $1 the id of a call: everything that a record about it needs. */
const findEndedCall = named(
  'ledger.find_ended_call',
  `select ${correctableColumns}
   from millrace.calls c left join millrace.messages m on m.id = c.message_id
   where c.id = $1::uuid and c.state in ('settled', 'unsettled')`,
);

/**
 * $1 the id, $2 and $3 its state and counts as they were read, $4 the true counts, $5 the cost, $6 and $7 its price, $8 the
 * correction record; $9 the audit's id, $10 the actor, $11 the target, $12 the detail, $13 the reason; $14 cost, $15 bound,
 * $16 waste and $17 cost by class as they were read, $18 the cost by class. The quotas get the difference back. Nothing when anything has changed meanwhile of which the
 * record carries the difference.
 */
const correctUsage = named(
  'ledger.correct_usage',
  `with open as materialized (
     select c.id, c.quotas, c.quota_usd, c.quota_tokens from millrace.calls c
     where c.id = $1::uuid and c.state = $2 and c.tokens is not distinct from $3::text and c.cost_usd is not distinct from $14::numeric
       and c.upper_bound_usd is not distinct from $15::numeric and c.waste_reason is not distinct from $16::text
       and c.cost_detail is not distinct from $17::text for update of c),
   moved_calls as (
     update millrace.calls c
     set state = 'settled', settlement = 'reported', is_suspect = false, tokens = $4::text, cost_usd = $5::numeric,
       upper_bound_usd = null, cost_detail = $18, price_reference = $6, price_catalogue = $7,
       quota_usd = case when o.quotas is not null then $5::numeric end, quota_tokens = ${tokensOfCall('$4::text')}
     from open o where c.id = o.id
     returning c.id, o.quotas, o.quota_usd as was_usd, c.quota_usd as is_usd,
       o.quota_tokens as was_tokens, c.quota_tokens as is_tokens),
   recorded as (
     insert into millrace.outbox (target, line) select 'usage', $8 from moved_calls),
   audited as (
     ${recordAction({
       id: '$9::uuid',
       actor: '$10',
       action: "'calls.correct'",
       target: '$11',
       detail: '$12::json',
       reason: '$13',
       from: 'moved_calls',
     })}),${moveAmounts(fromSpent)}
   select id from moved_calls`,
);

/** The ledger's part about calls whose usage an operator corrects. */
export class CorrectionLedger {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** The call, if it has ended. */
  async find(id: Uuid): Promise<CorrectableCall | undefined> {
    const { rows } = await this.#database.query<CorrectableRow>(findEndedCall, [id]);
    const [row] = rows;
    return row === undefined ? undefined : correctableCallOf(row);
  }

  /** Makes the correction durable with its record and its audit. False: the call has changed meanwhile. */
  async correct(correction: UsageCorrection, audit: OperationRecord): Promise<boolean> {
    const { call, tokens, costUsd, costDetail, priceReference, priceCatalogue, line } = correction;
    const { rows } = await this.#database.query(correctUsage, [
      call.id,
      call.state,
      call.storedTokens,
      JSON.stringify(tokens),
      formatUsd(costUsd),
      priceReference ?? null,
      priceCatalogue ?? null,
      line,
      audit.id,
      audit.actor,
      audit.target,
      JSON.stringify(audit.detail),
      audit.reason,
      call.costUsd === undefined ? null : formatUsd(call.costUsd),
      call.upperBoundUsd === undefined ? null : formatUsd(call.upperBoundUsd),
      call.wasteReason ?? null,
      call.costDetail,
      costDetail ?? null,
    ]);
    return rows.length === 1;
  }
}

/** The call as its row tells it. */
export function correctableCallOf(row: CorrectableRow): CorrectableCall {
  const costUsd = row.cost_usd === null ? undefined : usd(row.cost_usd);
  return {
    ...attributedCallOf(row),
    state: row.state,
    outcome: row.outcome,
    settlement: row.settlement,
    answeredModel: row.answered_model ?? undefined,
    isSuspect: row.is_suspect,
    tokens: row.tokens === null ? {} : (JSON.parse(row.tokens) as TokenCounts),
    costUsd,
    costParts: partsOfRow(row.cost_detail, costUsd),
    costDetail: row.cost_detail,
    wasteReason: row.waste_reason ?? undefined,
    storedTokens: row.tokens,
  };
}
