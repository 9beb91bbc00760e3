import { tokenClasses } from '../../../pricing/token-classes.ts';
import type { CostFilters } from '../cost-query.ts';
import { filterConditions, filterParameters } from '../filter-conditions.ts';
import { boundParameters, boundsOf } from '../spend-pieces.ts';
import type { BoundSql } from '../usage-queries.ts';

/*
 * One slice of a FOCUS export. First every call is put together from its records (the call and its corrections, all at the
 * call's time), so that a row's price is the one that was paid in the end; then each call is taken apart into meters: its
 * token classes, its fee, what its classes do not explain, and what is not known of it. Rows of one price are summed;
 * a unit price is never an average: calls of two prices are two rows. Costs over any rows add up to the reports'.
 */

/** The length of a row's charge period. */
export const focusGrains = ['hour', 'day'] as const;
export type FocusGrain = (typeof focusGrains)[number];

export interface FocusSlice {
  readonly grain: FocusGrain;
  readonly from: Date;
  readonly to: Date;
  readonly filters: CostFilters;
  /** The slice's part of the customers, when one answer would be too large: this one of so many. */
  readonly part: number;
  readonly parts: number;
}

/** What is metered beside tokens: a fee by the request, uses of the provider's tools, what was charged
 * beside the list price, an adjustment of no class, and what is open. */
export const otherMeters = ['request', 'tools', 'charge', 'adjustment', 'open'] as const;
export type FocusMeter = (typeof tokenClasses)[number] | (typeof otherMeters)[number];

/** A row of the answer. Decimals and wide integers come as text. */
export interface FocusSums {
  /** "YYYY-MM-DD hh:mm:ss", UTC. */
  readonly period: string;
  readonly team: string;
  readonly customer: string;
  readonly feature: string;
  readonly batch: string;
  readonly pipeline: string;
  readonly stage: string;
  readonly provider: string;
  /** As the provider named it, or as it was asked for. */
  readonly priced_model: string;
  readonly operation: string;
  readonly request_kind: string;
  readonly priced_tier: string;
  readonly reference: string;
  /** The closed period that it corrects; empty where it is of its own. */
  readonly corrected_period: string;
  readonly status: 'settled' | 'estimated' | 'unpriced' | 'unsettled';
  readonly meter: FocusMeter;
  /** Dollars per million tokens, or per request; null when no one price gives the cost. */
  readonly unit_price: string | null;
  readonly quantity: string;
  readonly cost: string;
  readonly bound: string;
  readonly unpriced: string;
  readonly unsettled: string;
  readonly estimated: string;
}

const callKeys = [
  'team',
  'customer',
  'feature',
  'batch',
  'pipeline',
  'stage',
  'provider',
  'model',
  'operation',
  'request_kind',
  'corrected_period',
] as const;

const rowKeys = [
  'period',
  'team',
  'customer',
  'feature',
  'batch',
  'pipeline',
  'stage',
  'provider',
  'priced_model',
  'operation',
  'request_kind',
  'corrected_period',
  'priced_tier',
  'reference',
  'status',
  'meter',
  'unit_price',
] as const;

/** Tokens are priced by the million. */
const unitsOfPrice = 1_000_000;
/** Whether anything is not known of a call. */
const isOpen =
  "(meter.1 = 'open' AND (call_bound != 0 OR call_unpriced != 0 OR call_unsettled != 0 OR call_estimated != 0))";

const money = (column: string): string => `toDecimal256(ifNull(${column}, 0), 18)`;

/** The price of a meter: exact, or none. */
const unitPrice =
  'if(is_priced AND meter_quantity > 0 AND meter_units > 0 AND meter_price * meter_quantity = meter_cost * meter_units, meter_price, NULL)';

/** Which calls a slice is of, with the parameters of `sliceParameters`. */
function conditionsOf({ filters, parts, ...period }: FocusSlice): string {
  return [
    ...boundsOf(period),
    ...filterConditions(filters),
    ...(parts === 1 ? [] : ['sipHash64(team, customer, feature, batch) % {parts:UInt32} = {part:UInt32}']),
  ].join(' AND ');
}

function sliceParameters({ filters, part, parts, ...period }: FocusSlice): Record<string, unknown> {
  return {
    ...boundParameters(period),
    ...filterParameters(filters),
    ...(parts === 1 ? {} : { part, parts }),
  };
}

/** How many records each day of the period has, as rows of `day` ("YYYY-MM-DD") and `records`, in order. */
export function focusRecordsSql(slice: FocusSlice, database: string): BoundSql {
  return {
    sql:
      `SELECT toString(toDate(ts, 'UTC')) AS day, count() AS records FROM ${database}.usage ` +
      `WHERE ${conditionsOf(slice)} GROUP BY day ORDER BY day`,
    parameters: sliceParameters(slice),
  };
}

/** The rows of a slice, in a total order. */
export function focusSliceSql(slice: FocusSlice, database: string): BoundSql {
  const step = slice.grain === 'hour' ? 'toStartOfHour(ts)' : "toStartOfDay(ts, 'UTC')";
  const explained = [...tokenClasses.map((name) => `c_${name}`), 'c_request', 'c_tools'].join(' + ');
  const meters = [
    ...tokenClasses.map((name) => `('${name}', t_${name}, c_${name}, ${unitsOfPrice})`),
    "('request', toInt128(if(c_request = 0 OR is_charged, 0, 1)), if(is_charged, toDecimal256(0, 18), c_request), 1)",
    "('charge', toInt128(0), if(is_charged, c_request, toDecimal256(0, 18)), 0)",
    "('tools', toInt128(0), c_tools, 0)",
    `('adjustment', toInt128(0), total - (${explained}), 0)`,
    "('open', toInt128(0), toDecimal256(0, 18), 0)",
  ];
  const keys = rowKeys.join(', ');
  const latest = (value: string, condition = '1'): string =>
    `argMaxIf(${value}, (recorded_at, record_id), ${condition})`;
  const sql = `SELECT ${keys},
  toString(sum(meter_quantity)) AS quantity, toString(sum(meter_cost)) AS cost,
  toString(sumIf(call_bound, meter = 'open')) AS bound,
  toString(sumIf(call_unpriced, meter = 'open')) AS unpriced,
  toString(sumIf(call_unsettled, meter = 'open')) AS unsettled,
  toString(sumIf(call_estimated, meter = 'open')) AS estimated
FROM (
  SELECT formatDateTime(step, '%Y-%m-%d %H:%i:%S', 'UTC') AS period, ${callKeys.filter((key) => key !== 'model').join(', ')}, priced_model, priced_tier, reference,
    call_bound, call_unpriced, call_unsettled, call_estimated,
    call_unpriced = 0 AS is_priced,
    multiIf(call_unsettled > 0, 'unsettled', call_unpriced > 0, 'unpriced', call_estimated > 0, 'estimated', 'settled') AS status,
    arrayJoin(arrayFilter(meter -> ${isOpen} OR meter.2 != 0 OR meter.3 != 0, [${meters.join(', ')}])) AS metered,
    metered.1 AS meter, metered.2 AS meter_quantity, metered.3 AS meter_cost, metered.4 AS meter_units,
    meter_cost * meter_units / greatest(meter_quantity, 1) AS meter_price, ${unitPrice} AS unit_price
  FROM (
    SELECT call_id, ${step} AS step, ${callKeys.join(', ')},
      ${latest("if(answered_model = '', model, answered_model)")} AS priced_model,
      ${latest('tier')} AS priced_tier,
      ${latest('price_reference', "price_reference != ''")} AS reference,
      ${tokenClasses.map((name) => `sum(toInt128(tokens_${name})) AS t_${name}, sum(${money(`cost_${name}`)}) AS c_${name}`).join(', ')},
      sum(${money('cost_request')}) AS c_request, countIf(list_cost_usd IS NOT NULL) > 0 AS is_charged, sum(${money('cost_units')}) AS c_tools, sum(${money('cost_usd')}) AS total,
      sum(${money('upper_bound_usd')}) AS call_bound,
      sum(unpriced_calls) AS call_unpriced, sum(unsettled_calls) AS call_unsettled, sum(estimated_calls) AS call_estimated
    FROM ${database}.usage
    WHERE ${conditionsOf(slice)}
    GROUP BY call_id, step, ${callKeys.join(', ')}
  )
)
GROUP BY ${keys}
ORDER BY ${keys}`;
  return { sql, parameters: sliceParameters(slice) };
}
