import type { ColumnStore } from '../../../drivers/column-store/column-store.ts';
import { engineTime } from '../../../engine/export/row-text.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import { type Usd, usd } from '../../../kernel/money.ts';
import { tierOf } from '../../../pricing/tier-names.ts';
import { type TokenClass, tokenClasses } from '../../../pricing/token-classes.ts';
import { AppError } from '../../../kernel/app-error.ts';
import { costErrors } from '../cost-errors.ts';
import { type QueryLimits, queryWithin } from '../query-limits.ts';

/*
 * What the records say of a provider's calls, day by day in UTC: sums over the calls that were settled in one way, the calls
 * that a bill can know more about than the ledger (unsettled, cancelled, failed, estimated), and single calls. A call is put
 * together from its records, so that it counts with what it is in the end.
 */

/** How the cost of a call stands. `free`: it used nothing and cost nothing, as far as the ledger knows. */
export const callStatuses = ['settled', 'estimated', 'unpriced', 'free', 'unsettled'] as const;
export type CallStatus = (typeof callStatuses)[number];

interface LedgerPart {
  readonly day: string;
  readonly provider: string;
  /** As asked for. */
  readonly model: string;
  /** As answered; empty where nothing was. */
  readonly answeredModel: string;
  /** In the words of prices; "batch" for calls of batches. */
  readonly tier: string;
  readonly status: CallStatus;
  readonly costUsd: Usd;
  readonly boundUsd: Usd;
  readonly tokens: Readonly<Partial<Record<TokenClass, number>>>;
}

/** Calls of one day, model, tier and status. */
export interface LedgerGroup extends LedgerPart {
  /** As a provider counts them: those that shared a request are one. */
  readonly calls: number;
  readonly costByClass: Readonly<Partial<Record<TokenClass, Usd>>>;
  readonly toolsUsd: Usd;
  readonly requestsUsd: Usd;
}

/** One call. */
export interface LedgerCall extends LedgerPart {
  readonly id: Uuid;
  readonly requestId: string;
  /** The request that it shared with others; absent for a request of its own. */
  readonly sharedRequest?: Uuid;
  /** "ok", "error", "cancelled" or "unsettled". */
  readonly outcome: string;
  readonly errorType: string;
  readonly durationMs: number;
  readonly sentAt: Date;
  /** When the ledger learnt the last of it. */
  readonly recordedAt: Date;
}

/** Days of some providers. */
export interface LedgerPeriod {
  /** Names of providers as Millrace's configuration has them. */
  readonly providers: readonly string[];
  readonly days: readonly string[];
}

/** The most calls that are looked at one by one. */
const maxSingleCalls = 200_000;

type Row = Readonly<Record<string, string>>;

const money = (column: string): string => `toDecimal256(ifNull(${column}, 0), 18)`;
const latest = (value: string, condition = '1'): string =>
  `argMaxIf(${value}, (recorded_at, record_id), ${condition})`;
const allTokens = tokenClasses.map((name) => `t_${name}`).join(' + ');

/** Every call of the period, whole. */
function callsSql(database: string): string {
  return `SELECT call_id, toString(toDate(ts, 'UTC')) AS day, provider, model, request_kind,
    ${latest('answered_model', "answered_model != ''")} AS answered, ${latest('tier')} AS last_tier,
    ${latest('outcome')} AS last_outcome, ${latest('error_type', "error_type != ''")} AS last_error,
    ${latest('provider_request_id', "provider_request_id != ''")} AS request_id, max(shared_request) AS shared,
    min(ts) AS sent_at, max(duration_ms) AS duration, max(recorded_at) AS known_at,
    ${tokenClasses.map((name) => `sum(toInt128(tokens_${name})) AS t_${name}, sum(${money(`cost_${name}`)}) AS c_${name}`).join(', ')},
    sum(${money('cost_request')}) AS c_requests, sum(${money('cost_units')}) AS c_tools,
    sum(${money('cost_usd')}) AS total, sum(${money('upper_bound_usd')}) AS bound,
    multiIf(sum(unsettled_calls) > 0, 'unsettled', sum(unpriced_calls) > 0, 'unpriced',
      ${allTokens} = 0 AND total = 0, 'free', sum(estimated_calls) > 0, 'estimated', 'settled') AS status
  FROM ${database}.usage
  WHERE provider IN {providers:Array(String)} AND ts >= {from:DateTime64(3, 'UTC')} AND ts < {to:DateTime64(3, 'UTC')}
    AND has({days:Array(String)}, toString(toDate(ts, 'UTC')))
  GROUP BY call_id, day, provider, model, request_kind`;
}

const keys = 'day, provider, model, answered, last_tier, request_kind, status';
const noRequest = '00000000-0000-0000-0000-000000000000';
const singleColumns = `${keys}, toString(call_id) AS id, request_id, toString(shared) AS shared_id, toString(last_outcome) AS outcome, last_error,
  toString(toUnixTimestamp64Milli(sent_at)) AS sent_ms, toString(toUnixTimestamp64Milli(known_at)) AS known_ms,
  toString(duration) AS duration_text, toString(total) AS cost, toString(bound) AS bound_usd, ${tokenClasses.map((name) => `toString(t_${name}) AS n_${name}`).join(', ')}`;

/** Reads the records of a provider's calls. */
export class LedgerUsage {
  readonly #store: ColumnStore;
  readonly #limits: QueryLimits;

  constructor(store: ColumnStore, limits: QueryLimits) {
    this.#store = store;
    this.#limits = limits;
  }

  /** The sums of the period, in a total order. */
  async groups(period: LedgerPeriod): Promise<readonly LedgerGroup[]> {
    const rows = await this.#ask(
      `SELECT ${keys}, toString(uniqExact(if(shared = toUUID('${noRequest}'), call_id, shared))) AS calls, toString(sum(total)) AS cost, toString(sum(bound)) AS bound_usd,
        toString(sum(c_requests)) AS requests_usd, toString(sum(c_tools)) AS tools_usd,
        ${tokenClasses.map((name) => `toString(sum(t_${name})) AS n_${name}, toString(sum(c_${name})) AS u_${name}`).join(', ')}
      FROM (${callsSql(this.#store.database)}) GROUP BY ${keys} ORDER BY ${keys}`,
      period,
    );
    return rows.map((row) => ({
      ...partOf(row),
      calls: Number(row['calls']),
      costByClass: Object.fromEntries(tokenClasses.map((name) => [name, usd(row[`u_${name}`] ?? '0')])),
      toolsUsd: usd(row['tools_usd'] ?? '0'),
      requestsUsd: usd(row['requests_usd'] ?? '0'),
    }));
  }

  /** The calls of the period of which a bill can know more, by their times and ids. Throws MILLRACE_REPORT_TOO_LARGE. */
  async doubtful(period: LedgerPeriod): Promise<readonly LedgerCall[]> {
    return await this.#single("status IN ('unsettled', 'estimated', 'free')", period);
  }

  /** Every call of the period, by time and id. Throws MILLRACE_REPORT_TOO_LARGE. */
  async calls(period: LedgerPeriod): Promise<readonly LedgerCall[]> {
    return await this.#single('1', period);
  }

  /** Settled calls of the day that used exactly so many tokens of these classes together, two at most. */
  async callsWith(
    period: LedgerPeriod,
    sums: readonly { readonly classes: readonly TokenClass[]; readonly tokens: number }[],
  ): Promise<readonly LedgerCall[]> {
    const conditions = sums.map(
      ({ classes, tokens }) => `${classes.map((name) => `t_${name}`).join(' + ')} = ${BigInt(tokens)}`,
    );
    const rows = await this.#ask(
      `SELECT ${singleColumns} FROM (${callsSql(this.#store.database)})
      WHERE ${["status = 'settled'", ...conditions].join(' AND ')} ORDER BY sent_at, id LIMIT 20`,
      period,
    );
    return rows.map((row) => callOf(row));
  }

  async #single(condition: string, period: LedgerPeriod): Promise<readonly LedgerCall[]> {
    const rows = await this.#ask(
      `SELECT ${singleColumns} FROM (${callsSql(this.#store.database)}) WHERE ${condition}
      ORDER BY sent_at, id LIMIT ${maxSingleCalls + 1}`,
      period,
    );
    if (rows.length > maxSingleCalls)
      throw new AppError(
        costErrors.MILLRACE_REPORT_TOO_LARGE,
        `The period has more than ${maxSingleCalls} calls to look at one by one.`,
      );
    return rows.map((row) => callOf(row));
  }

  async #ask(sql: string, { providers, days }: LedgerPeriod): Promise<Row[]> {
    const [first = '1970-01-01'] = days;
    const last = days.at(-1) ?? first;
    const parameters = {
      providers: [...providers],
      days: [...days],
      from: engineTime(new Date(`${first}T00:00:00Z`)),
      to: engineTime(new Date(Date.parse(`${last}T00:00:00Z`) + 86_400_000)),
    };
    const maxRows = Math.max(this.#limits.maxRows, maxSingleCalls + 1);
    return await queryWithin<Row>(this.#store, { sql, parameters }, { ...this.#limits, maxRows });
  }
}

function partOf(row: Row): LedgerPart {
  const text = (name: string): string => row[name] ?? '';
  return {
    day: text('day'),
    provider: text('provider'),
    model: text('model'),
    answeredModel: text('answered'),
    tier: text('request_kind') === 'batch' ? 'batch' : tierOf(text('last_tier'), text('provider')),
    status: callStatuses.find((known) => known === text('status')) ?? 'unsettled',
    costUsd: usd(text('cost')),
    boundUsd: usd(text('bound_usd')),
    tokens: Object.fromEntries(
      tokenClasses
        .map((name) => [name, Number(row[`n_${name}`] ?? 0)] as const)
        .filter(([, count]) => count !== 0),
    ),
  };
}

function callOf(row: Row): LedgerCall {
  const shared = row['shared_id'] ?? noRequest;
  return {
    ...partOf(row),
    id: row['id'] ?? '',
    requestId: row['request_id'] ?? '',
    ...(shared === noRequest ? {} : { sharedRequest: shared }),
    outcome: row['outcome'] ?? '',
    errorType: row['last_error'] ?? '',
    durationMs: Number(row['duration_text']),
    sentAt: new Date(Number(row['sent_ms'])),
    recordedAt: new Date(Number(row['known_ms'])),
  };
}
