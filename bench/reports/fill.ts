import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';

/*
 * Usage, made by the engine from numbers. Of a month: 12 teams, 170 customers of each with few who call most, 5 features that
 * each have a pipeline of three stages, two models a stage, batches of a quarter of the calls, 1.3 calls a message, and some
 * calls that failed, are estimated, unsettled, unpriced or corrections. The same numbers give the same rows.
 */

export const monthStart = Date.UTC(2026, 9, 1);
export const monthDays = 30;
export const quarterStart = Date.UTC(2026, 7, 1);
export const quarterDays = 90;

/** Who calls for what, as SQL over the numbers of a row. */
interface Shape {
  readonly start: number;
  readonly days: number;
  /** Defines team_n, feature_n and pipeline_n from `number`. */
  readonly who: string;
  readonly customersOfTeam: number;
  readonly maxInsertRows: number;
  readonly settings: string;
}

/**
 * `quarter`: 90 days of 50 teams with 400 customers and 4 of 40 features each, made in larger inserts, in which the engine may use
 * more memory than an embedded one has.
 */
const shapes = {
  month: {
    start: monthStart,
    days: monthDays,
    who: 'sipHash64(number, 4) % 12 AS team_n, sipHash64(number, 5) % 5 AS feature_n, (feature_n + team_n) % 3 AS pipeline_n',
    customersOfTeam: 170,
    maxInsertRows: 100_000,
    settings: '',
  },
  quarter: {
    start: quarterStart,
    days: quarterDays,
    who: 'sipHash64(number, 4) % 50 AS team_n, (team_n * 4 + sipHash64(number, 5) % 4) % 40 AS feature_n, feature_n % 10 AS pipeline_n',
    customersOfTeam: 400,
    maxInsertRows: 500_000,
    settings:
      ' SETTINGS max_memory_usage = 8000000000, max_insert_block_size = 500000, min_insert_block_size_rows = 500000',
  },
} as const satisfies Readonly<Record<string, Shape>>;

/** Inserts that the rows come in, of some hours each. */
const minInserts = 200;

const columnsOf = ({ customersOfTeam }: Shape) =>
  ({
    record_id: "reinterpretAsUUID(sipHash128(number, 'record'))",
    record_kind: "if(a % 97 = 0, 'correction', 'call')",
    export_batch: "reinterpretAsUUID(sipHash128(intDiv(number, 20000), 'batch'))",
    call_id: "reinterpretAsUUID(sipHash128(number, 'record'))",
    ts: 'moment',
    recorded_at: 'moment',
    team: "concat('team-', toString(team_n))",
    customer: `concat('customer-', toString(team_n), '-', toString(toUInt32(pow((b % 10007) / 10007., 2) * ${customersOfTeam})))`,
    feature: "concat('feature-', toString(feature_n))",
    batch: "if(c % 4 = 0, concat('batch-', toString(team_n), '-', toString(toDayOfMonth(moment))), '')",
    pipeline: "concat('pipeline-', toString(pipeline_n))",
    stage: "concat('stage-', toString(pipeline_n), '-', toString(stage_n))",
    owner: "concat('owner-', toString(pipeline_n))",
    message_id: "reinterpretAsUUID(sipHash128(intDiv(number, 4) * 3 + least(number % 4, 2), 'message'))",
    root_id: "reinterpretAsUUID(sipHash128(intDiv(number, 8), 'root'))",
    item: "concat('document-', toString(intDiv(number, 8)))",
    step: "'answer'",
    attempt: '1',
    trace_id: "lower(hex(sipHash128(number, 'trace')))",
    provider: "multiIf(model_n < 2, 'openai', model_n < 4, 'anthropic', 'google')",
    model: "concat('model-', toString(model_n))",
    answered_model: "concat('model-', toString(model_n))",
    operation: "'chat'",
    tier: "'default'",
    request_kind: "'single'",
    provider_request_id: "concat('req_', lower(hex(a)))",
    outcome: "multiIf(a % 211 = 0, 'unsettled', a % 53 = 0, 'error', 'ok')",
    settlement: "multiIf(a % 211 = 0, 'unsettled', a % 101 = 0, 'estimated', 'reported')",
    calls: 'toInt8(a % 97 != 0)',
    unpriced_calls: 'toInt8(a % 997 = 0)',
    unsettled_calls: 'toInt8(a % 211 = 0)',
    estimated_calls: 'toInt8(a % 101 = 0)',
    tokens_uncached_input: '300 + b % 3000',
    tokens_cache_read: 'c % 1000',
    tokens_text_output: 'b % 900',
    tokens_reasoning: 'c % 400',
    cost_uncached_input: "toDecimal128(300 + b % 3000, 18) * toDecimal128('0.00000025', 8)",
    cost_text_output: "toDecimal128(b % 900, 18) * toDecimal128('0.000002', 6)",
    cost_usd: `if(a % 997 = 0, NULL, toDecimal128((300 + b % 3000) * 25 + (b % 900) * 200, 8) / 100000000)`,
    upper_bound_usd: "if(a % 211 = 0 OR a % 101 = 0, toDecimal128('0.01', 18), NULL)",
    is_waste: 'toUInt8(a % 53 = 0)',
    waste_reason: "if(a % 53 = 0, ['failed', 'aborted', 'duplicate', 'invalid_output'][1 + c % 4], '')",
    duration_ms: '400 + b % 4000',
    raw_usage: '\'{"input_tokens":1028,"output_tokens":154}\'',
  }) as const;

const outcomeColumnsOf = (columns: ReturnType<typeof columnsOf>) =>
  ({
    message_id: columns.message_id,
    export_batch: columns.export_batch,
    ts: columns.ts,
    root_id: columns.root_id,
    pipeline: columns.pipeline,
    stage: columns.stage,
    owner: columns.owner,
    team: columns.team,
    customer: columns.customer,
    feature: columns.feature,
    batch: columns.batch,
    item: columns.item,
    outcome: "multiIf(a % 401 = 0, 'dead_lettered', a % 997 = 0, 'cancelled', 'completed')",
    attempts: '1',
    deliveries: '1',
    duration_ms: columns.duration_ms,
  }) as const;

/** Fills the empty tables with so many usage records, and the outcomes of their messages. */
export async function fillUsage(
  store: ColumnStore,
  rows: number,
  shapeName: keyof typeof shapes,
  onProgress: (done: number) => void,
): Promise<void> {
  const shape = shapes[shapeName];
  const { start, days, who, maxInsertRows, settings } = shape;
  const columns = columnsOf(shape);
  const insertRows = Math.min(maxInsertRows, Math.ceil(rows / minInserts));
  for (let from = 0; from < rows; from += insertRows) {
    const count = Math.min(insertRows, rows - from);
    for (const [table, values, condition] of [
      ['usage', columns, 'true'],
      // Of four calls, two are of one message.
      ['message_outcomes', outcomeColumnsOf(columns), 'number % 4 != 3'],
    ] as const)
      await store.command(
        `INSERT INTO ${store.database}.${table} (${Object.keys(values).join(', ')}) SELECT ${Object.values(values).join(', ')}
       FROM (SELECT number, sipHash64(number, 1) AS a, sipHash64(number, 2) AS b, sipHash64(number, 3) AS c,
         ${who},
         sipHash64(number, 6) % 3 AS stage_n, stage_n * 2 + sipHash64(number, 7) % 2 AS model_n,
         fromUnixTimestamp64Milli(toInt64(${start} + number * ${days * 86_400_000} / ${rows}), 'UTC') AS moment
         FROM numbers(${from}, ${count}) WHERE ${condition})${settings}`,
      );
    onProgress(from + count);
  }
}
