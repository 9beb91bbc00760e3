import type { ColumnStore } from '../../../drivers/column-store/column-store.ts';
import { type CallerView, shareOf } from '../../../http/api-key-identity.ts';
import type { ConcurrencyLimiter } from '../../../kernel/concurrency-limiter.ts';
import { ownTurn } from '../../../kernel/event-loop-turn.ts';
import type { Logger } from '../../../telemetry/logger.ts';
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
  /** How many exports are under way at once. Absent: as many as are asked for. */
  readonly limiter?: Pick<ConcurrencyLimiter, 'run'>;
  /** What one statement may take of the store. Absent: as much as it takes. */
  readonly limits?: QueryLimits;
  readonly logger?: Logger;
  /** Records that one statement reads at most, but for those of one origin. For tests. */
  readonly maxRecords?: number;
}

const dayMs = 86_400_000;
/** Of these, the rows that are in memory at once take some ten megabytes. */
const defaultMaxRecords = 10_000;
/** A call has at most so many meters. */
const maxRowsOfRecord = 16;
/** Rows that are given on in one piece: what is made of them takes a few milliseconds. */
const rowsOfPiece = 1_000;

/** Exports of usage and cost in the form of FOCUS. */
export class FocusExports {
  readonly #options: FocusExportOptions;

  constructor(options: FocusExportOptions) {
    this.#options = options;
  }

  /**
   * The rows of the period, day by day, in pieces; a piece is read when it is asked for. The export counts as one of those at
   * once until its last piece was taken, or until it is given up. Throws, before the first piece or between pieces,
   * MILLRACE_FORBIDDEN when a viewer bound to a team asks for another, MILLRACE_REPORT_TOO_LARGE, MILLRACE_OVERLOADED,
   * MILLRACE_RATE_LIMITED and the column store's failures.
   */
  async *rows(request: FocusRequest, viewer: CallerView): AsyncGenerator<readonly FocusRow[]> {
    const filters = visibleFilters(request.filters, viewer);
    const leave = await this.#enter(viewer);
    let hasBegun = false;
    try {
      const { grain, from, to } = request;
      const whole: FocusSlice = { grain, from, to, filters, part: 0, parts: 1 };
      const days = await this.#ask<DayRecords>(focusRecordsSql, whole);
      for (const slice of slicesOf(whole, days, this.#maxRecords)) {
        const sums = await this.#ask<FocusSums>(focusSliceSql, slice);
        for (let at = 0; at < sums.length; at += rowsOfPiece) {
          const piece = sums.slice(at, at + rowsOfPiece).map((row) => this.#row(row, request));
          hasBegun = true;
          yield piece;
          await ownTurn();
        }
      }
    } catch (error) {
      // Who has the first rows already can be sent no problem any more.
      if (hasBegun)
        this.#options.logger?.error(
          { error },
          'a FOCUS export broke off: what was sent is not the whole of it',
        );
      throw error;
    } finally {
      leave();
    }
  }

  get #maxRecords(): number {
    return this.#options.maxRecords ?? defaultMaxRecords;
  }

  /** Takes a place among the exports at once. Answers how it is left. */
  async #enter({ id }: CallerView): Promise<() => void> {
    const { limiter } = this.#options;
    const left = Promise.withResolvers<void>();
    if (limiter === undefined) return left.resolve;
    const entered = Promise.withResolvers<void>();
    const work = (): Promise<void> => {
      entered.resolve();
      return left.promise;
    };
    limiter.run(work, id === undefined ? undefined : shareOf({ id })).catch(entered.reject);
    await entered.promise;
    return left.resolve;
  }

  #row(sums: FocusSums, { grain, hasTokenDetails }: FocusRequest): FocusRow {
    return focusRow(sums, { grain, hasTokenDetails, billingAccount: this.#options.billingAccount });
  }

  async #ask<Row>(
    write: (slice: FocusSlice, database: string) => BoundSql,
    slice: FocusSlice,
  ): Promise<Row[]> {
    const { store, limits } = this.#options;
    const bound = write(slice, store.database);
    if (limits === undefined) return await store.query<Row>(bound.sql, bound.parameters);
    const maxRows = Math.max(limits.maxRows, this.#maxRecords * maxRowsOfRecord);
    return await queryWithin<Row>(store, bound, { ...limits, maxRows });
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
