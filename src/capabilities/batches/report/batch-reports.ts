import type { SqlDatabase, SqlExecutor } from '../../../drivers/sql-database/sql-database.ts';
import type { Viewer } from '../../../http/operator.ts';
import { AppError } from '../../../kernel/app-error.ts';
import type { ConcurrencyLimiter } from '../../../kernel/concurrency-limiter.ts';
import { isUuid, type Uuid } from '../../../kernel/ids.ts';
import { isStorableText } from '../../../kernel/storable-text.ts';
import {
  type FindPrice,
  findPriceOf,
  type PricedSums,
  thresholdsOf,
} from '../../../pricing/saved-amounts.ts';
import { type BatchRow, batchOf } from '../batch-rows.ts';
import { batchErrors } from '../batch-errors.ts';
import type { Batch } from '../batch.ts';
import { readSharedSavings } from '../sharing/shared-savings.ts';
import type { PreviousBatch } from './compare-batches.ts';
import { composeReport, pricedSums } from './compose-report.ts';
import type { BatchReportDocument } from './report-document.ts';
import { type BandRow, type CallsRow, partsOf, type ReportRow, type TotalsRow } from './report-rows.ts';
import { beginReading, findBatch, findPrevious, readBands, readReport, readTotals } from './report-sql.ts';

export interface BatchReportsOptions {
  readonly database: SqlDatabase;
  /** The prices in force by a question: savings are valued by them. */
  readonly findPrice: FindPrice;
  /** Absent: as many at once as are asked for. */
  readonly limiter?: Pick<ConcurrencyLimiter, 'run'>;
}

/** Which batch: its id, or its name with the team where several teams have a batch of the name. */
export type BatchReference =
  | { readonly kind: 'id'; readonly id: string }
  | { readonly kind: 'name'; readonly name: string; readonly team?: string | undefined };

/**
 * Reports of batches, computed from the ledger whenever one is asked for: what was settled late, corrected or priced anew since the
 * batch ended is in the next one.
 */
export class BatchReports {
  readonly #options: BatchReportsOptions;

  constructor(options: BatchReportsOptions) {
    this.#options = options;
  }

  /**
   * The report of one batch, for the viewer. All its figures are of one moment. Throws MILLRACE_BATCH_NOT_FOUND where the viewer may
   * see no such batch, and MILLRACE_OVERLOADED when too many reports are made.
   */
  async read(reference: BatchReference, viewer: Viewer): Promise<BatchReportDocument> {
    const { database, limiter } = this.#options;
    const read = (): Promise<BatchReportDocument> =>
      database.transaction(async (transaction) => {
        await transaction.execute(beginReading(database.kind));
        return await this.#readIn(transaction, reference, viewer);
      });
    return await (limiter === undefined ? read() : limiter.run(read, viewer.team));
  }

  async #readIn(
    executor: SqlExecutor,
    reference: BatchReference,
    viewer: Viewer,
  ): Promise<BatchReportDocument> {
    const { findPrice } = this.#options;
    const { batch, asOf } = await find(executor, reference, viewer);
    const { rows } = await executor.query<ReportRow>(readReport, [batch.id]);
    const parts = partsOf(rows);
    return composeReport({
      batch,
      asOf,
      parts,
      priced: await this.#priced(executor, batch.id, parts.calls),
      findPrice,
      sharing: await readSharedSavings(executor, batch.id),
      previous: await previousOf(executor, batch),
    });
  }

  /** The calls by their price. Those whose price depends on the size of their input are asked for once more, by its bands. */
  async #priced(
    executor: SqlExecutor,
    batchId: Uuid,
    calls: readonly CallsRow[],
  ): Promise<readonly PricedSums[]> {
    const { findPrice } = this.#options;
    const found = calls.map((row) => {
      const sums = pricedSums(row, Number(row.least_input));
      const price = findPriceOf(sums, findPrice)?.price;
      const crossed = (price === undefined ? [] : thresholdsOf(price)).filter(
        (size) => Number(row.least_input) <= size && size < Number(row.most_input),
      );
      return { sums, crossed };
    });
    const crossed = [...new Set(found.flatMap((one) => one.crossed))].toSorted((one, other) => one - other);
    if (crossed.length === 0) return found.map(({ sums }) => sums);
    const leastSizes = crossed.map((size) => size + 1);
    const { rows } = await executor.query<BandRow>(readBands, [batchId, leastSizes]);
    return rows.map((row) => pricedSums(row, Number(row.least_input)));
  }
}

async function find(
  executor: SqlExecutor,
  reference: BatchReference,
  viewer: Viewer,
): Promise<{ readonly batch: Batch; readonly asOf: Date }> {
  const asked = askedOf(reference, viewer);
  const { rows } =
    asked === undefined
      ? { rows: [] }
      : await executor.query<BatchRow & { readonly as_of: Date }>(findBatch, asked);
  const [row] = rows;
  if (row === undefined) {
    throw new AppError(
      batchErrors.MILLRACE_BATCH_NOT_FOUND,
      'There is no such batch, or it is not for who asks. List the batches, and check the team.',
    );
  }
  if (rows.length > 1) {
    throw new AppError(
      batchErrors.MILLRACE_BATCH_NOT_FOUND,
      'Batches of several teams have this name: say which team is meant, or give the id of the batch.',
    );
  }
  return { batch: batchOf(row), asOf: row.as_of };
}

/** What the statement is given. Undefined where no batch can be meant that the viewer may see. */
function askedOf(reference: BatchReference, { team }: Viewer): readonly unknown[] | undefined {
  if (reference.kind === 'id') {
    const id = reference.id.toLowerCase();
    return isUuid(id) ? [id, null, team ?? null] : undefined;
  }
  const wanted = reference.team ?? team;
  if (team !== undefined && wanted !== team) return undefined;
  if (!isStorableText(reference.name) || !isStorableText(wanted ?? '')) return undefined;
  return [null, reference.name, wanted ?? null];
}

async function previousOf(executor: SqlExecutor, { id }: Batch): Promise<PreviousBatch | undefined> {
  const { rows } = await executor.query<BatchRow>(findPrevious, [id]);
  const [row] = rows;
  if (row === undefined) return undefined;
  const batch = batchOf(row);
  const totals = await executor.query<TotalsRow>(readTotals, [batch.id]);
  const [first] = totals.rows;
  return first === undefined ? undefined : { batch, totals: first };
}
