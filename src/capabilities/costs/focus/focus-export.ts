import type { ColumnStore } from '../../../drivers/column-store/column-store.ts';
import type { ConcurrencyLimiter } from '../../../kernel/concurrency-limiter.ts';
import { type CallerView, shareOf } from '../../../http/api-key-identity.ts';
import { visibleFilters } from '../cost-reports.ts';
import { type QueryLimits, queryWithin } from '../query-limits.ts';
import type { BoundSql } from '../usage-queries.ts';
import type { FocusRow } from './focus-columns.ts';
import type { FocusRequest } from './focus-parameters.ts';
import { focusRecordsSql, focusSliceSql, type FocusSlice, type FocusSums } from './focus-query.ts';
import { focusRow } from './focus-rows.ts';

export interface FocusExportOptions {
  readonly store: ColumnStore;
  /** The account that the rows are billed to. */
  readonly billingAccount: string;
  /** Absent: as many at once as are asked for. */
  readonly limiter?: Pick<ConcurrencyLimiter, 'run'>;
  /** What one statement may take of the store. Absent: as much as it takes. */
  readonly limits?: QueryLimits;
  /** Records that one statement reads at most, but for those of one customer. For tests. */
  readonly maxRecords?: number;
}

const dayMs = 86_400_000;
/** A statement over this many records stays far within the memory that one may take, also embedded. */
const defaultMaxRecords = 100_000;

/** Exports of usage and cost in the form of FOCUS. */
export class FocusExports {
  readonly #options: FocusExportOptions;

  constructor(options: FocusExportOptions) {
    this.#options = options;
  }

  /**
   * The rows of the period day by day, in pieces; a piece is read when it is asked for, each as one of the
   * reports at once. Throws, before or between pieces, MILLRACE_FORBIDDEN when a viewer bound to a team asks for another,
   * MILLRACE_REPORT_TOO_LARGE, MILLRACE_OVERLOADED, MILLRACE_RATE_LIMITED and the column store's failures.
   */
  async *rows(request: FocusRequest, viewer: CallerView): AsyncGenerator<readonly FocusRow[]> {
    const filters = visibleFilters(request.filters, viewer);
    const { grain, from, to } = request;
    const whole: FocusSlice = { grain, from, to, filters, part: 0, parts: 1 };
    const days = await this.#ask<DayRecords>(focusRecordsSql, whole, viewer);
    for (const slice of slicesOf(whole, days, this.#options.maxRecords ?? defaultMaxRecords)) {
      const sums = await this.#ask<FocusSums>(focusSliceSql, slice, viewer);
      if (sums.length > 0) yield sums.map((row) => this.#row(row, request));
    }
  }

  #row(sums: FocusSums, { grain, hasTokenDetails }: FocusRequest): FocusRow {
    return focusRow(sums, { grain, hasTokenDetails, billingAccount: this.#options.billingAccount });
  }

  #ask<Row>(
    write: (slice: FocusSlice, database: string) => BoundSql,
    slice: FocusSlice,
    { id }: CallerView,
  ): Promise<Row[]> {
    const { store, limiter, limits } = this.#options;
    const bound = write(slice, store.database);
    const ask = (): Promise<Row[]> =>
      limits === undefined
        ? store.query<Row>(bound.sql, bound.parameters)
        : queryWithin<Row>(store, bound, limits);
    return limiter === undefined ? ask() : limiter.run(ask, id === undefined ? undefined : shareOf({ id }));
  }
}

interface DayRecords {
  readonly day: string;
  readonly records: string;
}

/** The period in slices of at most so many records: days together while they are few, a day in parts where it has more. */
function slicesOf(whole: FocusSlice, days: readonly DayRecords[], maxRecords: number): FocusSlice[] {
  const slices: FocusSlice[] = [];
  let records = 0;
  for (const { day, records: text } of days) {
    const from = new Date(Math.max(Date.parse(day), whole.from.getTime()));
    const to = new Date(Math.min(Date.parse(day) + dayMs, whole.to.getTime()));
    const count = Number(text);
    const last = slices.at(-1);
    if (last !== undefined && records + count <= maxRecords) {
      slices[slices.length - 1] = { ...last, to };
      records += count;
      continue;
    }
    const parts = Math.ceil(count / maxRecords);
    for (let part = 0; part < parts; part += 1) slices.push({ ...whole, from, to, part, parts });
    // What is in parts takes no further day.
    records = parts === 1 ? count : maxRecords;
  }
  return slices;
}
