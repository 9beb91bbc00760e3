import type { Uuid } from '../../../kernel/ids.ts';
import type { CascadeSums } from '../../../pricing/cascade-savings.ts';
import type { TokenClass } from '../../../pricing/token-classes.ts';
import type { ItemEnd, ItemState } from '../batch.ts';

/* Rows as the statements of a report answer them. Times are texts, as JSON has them; amounts and sums of tokens are exact texts. */

export interface StateRow {
  readonly state: ItemState;
  readonly items: number;
}

export interface ReasonRow {
  readonly ended_as: Exclude<ItemEnd, 'succeeded'>;
  readonly code: string;
  readonly items: number;
}

export interface WorkRow {
  /** Items of which a message ran more than once. */
  readonly retried: number;
  /** Items that ended and whose messages are no longer in the ledger. */
  readonly gone: number;
}

export interface StageRow {
  readonly stage: string;
  readonly messages: number;
  readonly ended: number;
  readonly retried: number;
  readonly p50_ms: number | null;
  readonly p95_ms: number | null;
  readonly max_ms: number | null;
  readonly first_at: string | null;
  readonly last_at: string | null;
}

/** Sums of calls of one kind, or of all. */
export interface CallsRow {
  readonly is_total: boolean;
  readonly stage: string | null;
  readonly provider: string | null;
  readonly model: string | null;
  readonly answered_model: string | null;
  readonly tier: string | null;
  readonly request_kind: 'single' | 'batch' | null;
  readonly price_reference: string | null;
  readonly waste_reason: string | null;
  readonly calls: number;
  readonly failed: number;
  readonly open: number;
  readonly unsettled: number;
  /** Of the settled ones, those that cost nothing. */
  readonly free: number;
  readonly estimated: number;
  readonly unpriced: number;
  readonly cost_usd: string;
  /** The part of it that bought nothing. */
  readonly waste_usd: string;
  readonly open_upper_usd: string;
  readonly first_at: string | null;
  readonly least_input: string;
  readonly most_input: string;
  readonly tokens: Readonly<Record<TokenClass, string>>;
  readonly costs: Readonly<Record<TokenClass, string>>;
}

/** Calls of cascades' models before the last, by what became of their answers. */
export interface CascadeRow {
  readonly verdict: CascadeSums['verdict'];
  readonly calls: number;
  readonly unvalued: number;
  readonly cost_usd: string;
  readonly last_usd: string;
}

export interface SpreadRow {
  /** Items that have a message. */
  readonly items: number;
  readonly cost_usd: string;
  readonly p50_usd: string | null;
  readonly p95_usd: string | null;
  readonly max_usd: string | null;
  readonly gini_sum: string;
}

export interface TenthRow {
  /** 1: the most expensive items. */
  readonly tenth: number;
  readonly items: number;
  readonly cost_usd: string;
}

export interface OutlierRow {
  readonly place: number;
  readonly position: number;
  readonly item_id: string;
  readonly message_id: Uuid;
  readonly state: ItemState;
  readonly calls: number;
  readonly cost_usd: string;
}

/** What each part of the answer has a row of. */
interface Bodies {
  readonly state: StateRow;
  readonly reason: ReasonRow;
  readonly work: WorkRow;
  readonly stage: StageRow;
  readonly calls: CallsRow;
  readonly cascade: CascadeRow;
  readonly spread: SpreadRow;
  readonly tenth: TenthRow;
  readonly outlier: OutlierRow;
}

interface RowOf<Part extends keyof Bodies> {
  readonly part: Part;
  readonly body: Bodies[Part];
}

/** A row of the statement that reads a report. */
export type ReportRow = { [Part in keyof Bodies]: RowOf<Part> }[keyof Bodies];

/** The same, by their parts. */
export interface ReportParts {
  readonly states: readonly StateRow[];
  readonly reasons: readonly ReasonRow[];
  readonly work: WorkRow;
  readonly stages: readonly StageRow[];
  readonly total: CallsRow | undefined;
  readonly calls: readonly CallsRow[];
  readonly cascades: readonly CascadeRow[];
  readonly spread: SpreadRow | undefined;
  readonly tenths: readonly TenthRow[];
  readonly outliers: readonly OutlierRow[];
}

/** Calls of one band of their price. */
export interface BandRow extends Omit<CallsRow, 'is_total'> {
  readonly band: number;
}

export interface TotalsRow {
  readonly calls: number;
  readonly cost_usd: string;
  readonly waste_usd: string;
  readonly unpriced: number;
  readonly input_tokens: string;
  readonly output_tokens: string;
  readonly cached_tokens: string;
  readonly gone: number;
}

/** Sorts the rows into their parts, each in the order in which it was asked for. */
export function partsOf(rows: readonly ReportRow[]): ReportParts {
  const bodies = <Part extends keyof Bodies>(part: Part): readonly Bodies[Part][] =>
    rows
      .filter((row): row is ReportRow & RowOf<Part> => row.part === part)
      .map(({ body }): Bodies[Part] => body);
  const calls = bodies('calls');
  return {
    states: bodies('state'),
    reasons: bodies('reason').toSorted(
      (one, other) =>
        other.items - one.items ||
        compareText(one.ended_as, other.ended_as) ||
        compareText(one.code, other.code),
    ),
    work: bodies('work')[0] ?? { retried: 0, gone: 0 },
    stages: bodies('stage').toSorted(
      (one, other) =>
        compareText(one.first_at ?? '~', other.first_at ?? '~') || compareText(one.stage, other.stage),
    ),
    total: calls.find(({ is_total: isTotal }) => isTotal),
    calls: calls.filter(({ is_total: isTotal }) => !isTotal),
    cascades: bodies('cascade'),
    spread: bodies('spread')[0],
    tenths: bodies('tenth').toSorted((one, other) => one.tenth - other.tenth),
    outliers: bodies('outlier').toSorted((one, other) => one.place - other.place),
  };
}

function compareText(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
