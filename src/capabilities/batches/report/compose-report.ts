import { formatUsd, ratioText, sumUsd, type Usd, usd, usdEach } from '../../../kernel/money.ts';
import type { FindPrice, PricedSums } from '../../../pricing/saved-amounts.ts';
import { savedByCascades } from '../../../pricing/cascade-savings.ts';
import { savedIn } from '../../../pricing/savings.ts';
import { tierOf } from '../../../pricing/tier-names.ts';
import {
  inputTokenClasses,
  outputTokenClasses,
  type TokenClass,
  tokenClasses,
} from '../../../pricing/token-classes.ts';
import { type Batch, isOver, type ItemState, itemStates } from '../batch.ts';
import { qualityResult } from '../batch-document.ts';
import type { SharedSavings } from '../sharing/shared-savings.ts';
import { comparisonOf, type PreviousBatch } from './compare-batches.ts';
import type { BatchReportDocument } from './report-document.ts';
import type { CallsRow, ReportParts, StageRow } from './report-rows.ts';

/** What a report is made of. */
export interface ReportFacts {
  readonly batch: Batch;
  readonly asOf: Date;
  readonly parts: ReportParts;
  /** The calls by price and band. */
  readonly priced: readonly PricedSums[];
  readonly findPrice: FindPrice;
  readonly sharing: SharedSavings;
  readonly previous: PreviousBatch | undefined;
}

/** The report of a batch, from the sums that the ledger gave. */
export function composeReport(facts: ReportFacts): BatchReportDocument {
  const { batch, asOf, parts, priced, findPrice, sharing, previous } = facts;
  const { id, origin, pipeline, type, version, settings, state, cause, deadline } = batch;
  const report: Omit<BatchReportDocument, 'previous'> = {
    batch: {
      id,
      name: origin.batch,
      team: origin.team,
      customer: origin.customer,
      feature: origin.feature,
      pipeline,
      type,
      version,
      mode: settings.mode,
      state,
      ...(cause === undefined ? {} : { cause }),
      ...qualityResult(batch),
      ...timeOf('deadline', deadline),
      createdAt: batch.createdAt.toISOString(),
      ...timeOf('startedAt', batch.startedAt),
      ...timeOf('endedAt', batch.endedAt),
    },
    asOf: asOf.toISOString(),
    isFinal: isOver(state),
    isComplete: parts.work.gone === 0,
    goneItems: parts.work.gone,
    currency: 'USD',
    items: itemsOf(parts),
    ...reasonsOf(parts),
    failedItems: `/v1/batches/${id}/failed-items`,
    time: { ...secondsOf(batch, asOf), stages: parts.stages.map(stageTimes) },
    tokens: tokensOf(parts.total),
    cost: costOf(parts),
    waste: wasteOf(parts),
    savings: {
      ...savedIn(priced, findPrice),
      cascade: cascadeOf(parts),
      sharing,
      unknown: ['reused_answers'],
    },
    concentration: concentrationOf(parts),
  };
  return { ...report, ...(previous === undefined ? {} : { previous: comparisonOf(report, previous) }) };
}

/** Sums of calls as savings are computed from them. `inputTokens` is the size of input that the price is asked for. */
export function pricedSums(row: Omit<CallsRow, 'is_total'>, inputTokens: number): PricedSums {
  const byClass = <Value>(read: (name: TokenClass) => Value): Partial<Record<TokenClass, Value>> =>
    Object.fromEntries(tokenClasses.map((name) => [name, read(name)]));
  return {
    provider: row.provider ?? '',
    model: row.model ?? '',
    answeredModel: row.answered_model ?? '',
    tier: row.tier ?? '',
    isBatch: row.request_kind === 'batch',
    priceReference: row.price_reference ?? '',
    at: new Date(row.first_at ?? 0),
    inputTokens,
    calls: row.calls,
    freeCalls: row.free,
    openCalls: row.open + row.unsettled,
    tokens: byClass((name) => BigInt(row.tokens[name])),
    costUsd: byClass((name) => usd(row.costs[name])),
  };
}

function timeOf<Name extends string>(
  name: Name,
  time: Date | undefined,
): { readonly [Key in Name]?: string } {
  return (time === undefined ? {} : { [name]: time.toISOString() }) as { readonly [Key in Name]?: string };
}

function itemsOf({ states, work }: ReportParts): BatchReportDocument['items'] {
  const count = (state: ItemState): number => states.find((row) => row.state === state)?.items ?? 0;
  const total = itemStates.reduce((sum, state) => sum + count(state), 0);
  return {
    total,
    waiting: count('waiting'),
    running: count('running'),
    succeeded: count('succeeded'),
    failed: count('failed'),
    expired: count('expired'),
    cancelled: count('cancelled'),
    skipped: count('skipped'),
    retried: work.retried,
    ...shareOf('successShare', usd(String(count('succeeded'))), usd(String(total))),
  };
}

function reasonsOf({ states, reasons }: ReportParts): Pick<BatchReportDocument, 'reasons' | 'otherReasons'> {
  const unsuccessful = states
    .filter(({ state }) => state !== 'succeeded' && state !== 'waiting' && state !== 'running')
    .reduce((sum, { items }) => sum + items, 0);
  return {
    reasons: reasons.map(({ ended_as: end, code, items }) => ({ end, code, items })),
    otherReasons: unsuccessful - reasons.reduce((sum, { items }) => sum + items, 0),
  };
}

/** From the start of a batch to its end, or to the given time. */
function secondsOf({ startedAt, endedAt }: Batch, asOf: Date): { readonly seconds?: number } {
  if (startedAt === undefined) return {};
  return { seconds: Math.max(0, (endedAt ?? asOf).getTime() - startedAt.getTime()) / 1000 };
}

function stageTimes(row: StageRow): BatchReportDocument['time']['stages'][number] {
  const { stage, messages, ended, retried, p50_ms: p50, p95_ms: p95, max_ms: max } = row;
  const first = row.first_at === null ? undefined : new Date(row.first_at);
  const last = row.last_at === null ? undefined : new Date(row.last_at);
  return {
    stage,
    messages,
    ended,
    retried,
    ...(p50 === null ? {} : { p50Ms: p50 }),
    ...(p95 === null ? {} : { p95Ms: p95 }),
    ...(max === null ? {} : { maxMs: max }),
    ...timeOf('firstStartAt', first),
    ...timeOf('lastEndAt', last),
    ...(first === undefined || last === undefined
      ? {}
      : { seconds: Math.max(0, last.getTime() - first.getTime()) / 1000 }),
  };
}

/** Sums of some classes. */
function sumOf(row: CallsRow | undefined, classes: readonly TokenClass[]): bigint {
  return classes.reduce((sum, name) => sum + BigInt(row?.tokens[name] ?? '0'), 0n);
}

function tokensOf(total: CallsRow | undefined): BatchReportDocument['tokens'] {
  const count = (name: TokenClass): string => total?.tokens[name] ?? '0';
  const input = sumOf(total, inputTokenClasses);
  return {
    byClass: {
      uncached_input: count('uncached_input'),
      cache_read: count('cache_read'),
      cache_write_5m: count('cache_write_5m'),
      cache_write_1h: count('cache_write_1h'),
      audio_input: count('audio_input'),
      image_input: count('image_input'),
      text_output: count('text_output'),
      reasoning: count('reasoning'),
      audio_output: count('audio_output'),
      image_output: count('image_output'),
    },
    input: input.toString(),
    output: sumOf(total, outputTokenClasses).toString(),
    ...shareOf('cacheHitRate', usd(count('cache_read')), usd(input.toString())),
  };
}

interface Sums {
  readonly calls: number;
  readonly costUsd: string;
  readonly share?: string;
  readonly rows: readonly CallsRow[];
}

/** Sums of calls by a key, the most expensive first, of equal ones by the key. */
function groupsOf(
  { calls, total }: Pick<ReportParts, 'calls' | 'total'>,
  keyOf: (row: CallsRow) => string | undefined,
): Sums[] {
  const whole = usd(total?.cost_usd ?? '0');
  const groups = Map.groupBy(calls, keyOf);
  groups.delete(undefined);
  return [...groups]
    .map(([key, rows]) => ({ key: key ?? '', rows, cost: sumUsd(rows.map((row) => usd(row.cost_usd))) }))
    .toSorted((one, other) => other.cost.comparedTo(one.cost) || (one.key < other.key ? -1 : 1))
    .map(({ rows, cost }) => ({
      calls: rows.reduce((sum, row) => sum + row.calls, 0),
      costUsd: formatUsd(cost),
      ...shareOf('share', cost, whole),
      rows,
    }));
}

function costOf(parts: ReportParts): BatchReportDocument['cost'] {
  const { total, spread, states, calls } = parts;
  const whole = usd(total?.cost_usd ?? '0');
  const waste = usd(total?.waste_usd ?? '0');
  const succeeded = states.find(({ state }) => state === 'succeeded')?.items ?? 0;
  const each = usdEach(whole, succeeded);
  const mean = usdEach(whole, spread?.items ?? 0);
  return {
    totalUsd: formatUsd(whole),
    calls: total?.calls ?? 0,
    failedCalls: total?.failed ?? 0,
    wasteUsd: formatUsd(waste),
    ...shareOf('wasteShare', waste, whole),
    unpricedCalls: total?.unpriced ?? 0,
    estimatedCalls: total?.estimated ?? 0,
    unsettledCalls: total?.unsettled ?? 0,
    openCalls: total?.open ?? 0,
    openUpperBoundUsd: plain(total?.open_upper_usd ?? '0'),
    ...(each === undefined ? {} : { perSucceededUsd: formatUsd(each) }),
    perItem: {
      items: spread?.items ?? 0,
      ...(mean === undefined ? {} : { meanUsd: formatUsd(mean) }),
      ...amountOf('p50Usd', spread?.p50_usd),
      ...amountOf('p95Usd', spread?.p95_usd),
      ...amountOf('maxUsd', spread?.max_usd),
    },
    models: groupsOf(parts, (row) => JSON.stringify([row.provider, row.model, tierOfCalls(row)])).map(
      ({ rows, ...sums }) => {
        const [first] = rows;
        return {
          provider: first?.provider ?? '',
          model: first?.model ?? '',
          tier: first === undefined ? '' : tierOfCalls(first),
          ...sums,
          inputTokens: rows.reduce((sum, row) => sum + sumOf(row, inputTokenClasses), 0n).toString(),
          outputTokens: rows.reduce((sum, row) => sum + sumOf(row, outputTokenClasses), 0n).toString(),
        };
      },
    ),
    stages: groupsOf(parts, ({ stage }) => stage ?? '').map(({ rows, ...sums }) => ({
      stage: rows[0]?.stage ?? '',
      ...sums,
    })),
    otherUsd: formatUsd(whole.minus(sumUsd(calls.map((row) => usd(row.cost_usd))))),
  };
}

/** In the words of prices: "default" for the standard tier, "batch" for batch mode. */
function tierOfCalls({ tier, request_kind: kind, provider }: CallsRow): string {
  return kind === 'batch' ? 'batch' : tierOf(tier ?? '', provider ?? '');
}

function isWaste({ waste_reason: reason }: CallsRow): boolean {
  return reason !== null && reason !== '';
}

function wasteOf(parts: ReportParts): BatchReportDocument['waste'] {
  return groupsOf(parts, (row) => (isWaste(row) ? (row.waste_reason ?? '') : undefined)).map(
    ({ rows, ...sums }) => ({ cause: rows[0]?.waste_reason ?? '', ...sums }),
  );
}

function cascadeOf({ cascades }: ReportParts): BatchReportDocument['savings']['cascade'] {
  return savedByCascades(
    cascades.map((row) => ({
      verdict: row.verdict,
      calls: row.calls,
      unvaluedCalls: row.unvalued,
      costUsd: usd(row.cost_usd),
      lastModelUsd: usd(row.last_usd),
    })),
  );
}

function concentrationOf({ spread, tenths, outliers }: ReportParts): BatchReportDocument['concentration'] {
  const whole = usd(spread?.cost_usd ?? '0');
  const median = usd(spread?.p50_usd ?? '0');
  const [top] = tenths;
  return {
    ...shareOf('gini', usd(spread?.gini_sum ?? '0'), whole.times(spread?.items ?? 0)),
    ...(top === undefined ? {} : shareOf('topTenthShare', usd(top.cost_usd), whole)),
    tenths: tenths.map(({ tenth, items, cost_usd: cost }) => ({
      tenth,
      items,
      costUsd: plain(cost),
      ...shareOf('share', usd(cost), whole),
    })),
    outliers: outliers.map(
      ({ position, item_id: itemId, message_id: messageId, state, calls, cost_usd: cost }) => ({
        position,
        itemId,
        messageId,
        state,
        calls,
        costUsd: plain(cost),
        ...shareOf('share', usd(cost), whole),
        ...shareOf('timesMedian', usd(cost), median),
      }),
    ),
  };
}

function shareOf<Name extends string>(
  name: Name,
  part: Usd,
  whole: Usd,
): { readonly [Key in Name]?: string } {
  const ratio = ratioText(part, whole);
  return (ratio === undefined ? {} : { [name]: ratio }) as { readonly [Key in Name]?: string };
}

function amountOf<Name extends string>(
  name: Name,
  amount: string | null | undefined,
): { readonly [Key in Name]?: string } {
  return (amount === null || amount === undefined ? {} : { [name]: plain(amount) }) as {
    readonly [Key in Name]?: string;
  };
}

/** Without the trailing zeros that the database keeps. */
function plain(amount: string): string {
  return formatUsd(usd(amount));
}
