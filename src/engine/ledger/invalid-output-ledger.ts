import type { SqlDatabase, SqlStatement } from '../../drivers/sql-database/sql-database.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { formatUsd, type Usd, usd } from '../../kernel/money.ts';
import type { TokenCounts } from '../../pricing/token-classes.ts';
import { type CostParts, partsOfRow } from './cost-parts.ts';
import type { CascadeVerdict, Settlement } from './settlement.ts';
import { type StoredCall, type StoredCallRow, storedCallOf } from './stored-call.ts';

/** A call whose answer is to be rejected: what the records about that say. */
export interface AnsweredCall extends StoredCall {
  readonly answeredModel: string | undefined;
  readonly settlement: Settlement;
  readonly providerRequestId: string | undefined;
  readonly tokens: TokenCounts;
  /** Undefined when no price is known. */
  readonly costUsd: Usd | undefined;
  readonly isSuspect: boolean;
  readonly priceReference: string | undefined;
  readonly priceCatalogue: string | undefined;
  /** Undefined where the row has a cost and not its parts. */
  readonly costParts: CostParts | undefined;
  /** What became of it in its cascade; undefined where that is not decided, or there is none. */
  readonly verdict?: CascadeVerdict | undefined;
  /** Of an accepted answer: what it would have cost at the last model of the cascade; undefined when that has no price. */
  readonly cascadeUsd?: Usd | undefined;
  /** The counts as the row has them, to tell whether it has changed meanwhile. */
  readonly storedTokens: string | null;
}

/** Its row. */
export interface AnsweredCallRow extends StoredCallRow {
  readonly answered_model: string | null;
  readonly settlement: Settlement;
  readonly provider_request_id: string | null;
  readonly tokens: string | null;
  readonly cost_usd: string | null;
  readonly is_suspect: boolean;
  readonly price_reference: string | null;
  readonly price_catalogue: string | null;
  readonly cost_detail: string | null;
  readonly cascade_verdict: CascadeVerdict | null;
  readonly cascade_usd: string | null;
}

/** What becomes of a decision about a small model's answer that is of no use after all: it answered nothing. */
export const rejectedInCascade = `cascade_verdict = case when c.cascade_verdict is not null then 'escalated' end, cascade_usd = null`;

/** $1 the id of a call: what the records about its rejection have to say. */
const findAnsweredCall: SqlStatement = {
  name: 'ledger.find_answered_call',
  text: `select id, step, attempt, provider, model, answered_model, operation, tier, request_kind, fallback_from, shared_request, cascade_place, cascade_models, via, cascade_verdict, cascade_usd, reserved_at, settlement, provider_request_id, tokens,
     cost_usd, upper_bound_usd, is_suspect, price_reference, price_catalogue, cost_detail
   from millrace.calls where id = $1::uuid and state = 'settled' and outcome = 'ok' and invalidated_at is null`,
};

/**
 * $1 the id, $2 rendered usage records, $3 to $7 what they say of the call: its answer is never given again, and its cost becomes
 * waste. Once, and only while the call is what they say.
 */
const invalidateAnswer: SqlStatement = {
  name: 'ledger.invalidate_answer',
  text: `with invalidated as (
     update millrace.calls c
     set invalidated_at = clock_timestamp(), waste_reason = 'invalid_output', ${rejectedInCascade}
     where c.id = $1::uuid and c.state = 'settled' and c.outcome = 'ok' and c.invalidated_at is null
       and c.settlement = $3 and c.is_suspect = $4 and c.tokens is not distinct from $5::text
       and c.cost_usd is not distinct from $6::numeric and c.upper_bound_usd is not distinct from $7::numeric
     returning c.id),
   recorded as (
     insert into millrace.outbox (target, line) select 'usage', l.line from invalidated cross join unnest($2::text[]) as l(line))
   select id from invalidated`,
};

/**
 * The ledger's part about answers that came whole and turned out to be of no use. The call stays settled, and its cost
 * stays what it was; its answer is out of the journal, and its cost counts as waste.
 */
export class InvalidOutputLedger {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** A call whose answer may still be rejected. */
  async findAnswered(id: Uuid): Promise<AnsweredCall | undefined> {
    const { rows } = await this.#database.query<AnsweredCallRow>(findAnsweredCall, [id]);
    const [row] = rows;
    return row === undefined ? undefined : answeredCallOf(row);
  }

  /**
   * Marks an answer as of no use, with the rendered records that make waste of its cost. False: it was marked before, or the
   * call has changed since it was read.
   */
  async reject(call: AnsweredCall, lines: readonly string[]): Promise<boolean> {
    const { id, settlement, isSuspect, storedTokens, costUsd, upperBoundUsd } = call;
    const { rows } = await this.#database.query(invalidateAnswer, [
      id,
      lines,
      settlement,
      isSuspect,
      storedTokens,
      costUsd === undefined ? null : formatUsd(costUsd),
      upperBoundUsd === undefined ? null : formatUsd(upperBoundUsd),
    ]);
    return rows.length === 1;
  }
}

/** The call as its row tells it. */
export function answeredCallOf(row: AnsweredCallRow): AnsweredCall {
  const costUsd = row.cost_usd === null ? undefined : usd(row.cost_usd);
  return {
    ...storedCallOf(row),
    answeredModel: row.answered_model ?? undefined,
    settlement: row.settlement,
    providerRequestId: row.provider_request_id ?? undefined,
    tokens: row.tokens === null ? {} : (JSON.parse(row.tokens) as TokenCounts),
    costUsd,
    costParts: partsOfRow(row.cost_detail, costUsd),
    upperBoundUsd: row.upper_bound_usd === null ? undefined : usd(row.upper_bound_usd),
    isSuspect: row.is_suspect,
    priceReference: row.price_reference ?? undefined,
    priceCatalogue: row.price_catalogue ?? undefined,
    verdict: row.cascade_verdict ?? undefined,
    cascadeUsd: row.cascade_usd === null ? undefined : usd(row.cascade_usd),
    storedTokens: row.tokens,
  };
}
