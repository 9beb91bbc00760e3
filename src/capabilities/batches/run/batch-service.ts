import { AppError } from '../../../kernel/app-error.ts';
import type { Clock } from '../../../kernel/clock.ts';
import type { Operator, Viewer } from '../../../http/operator.ts';
import { invalidRequest } from '../../../http/request-faults.ts';
import { batchDocument, type BatchDocument } from '../batch-document.ts';
import { batchErrors } from '../batch-errors.ts';
import { type Batch, isOver } from '../batch.ts';
import type { OutputFormat } from '../done/output-formats.ts';
import { outputParquet } from '../done/output-parquet.ts';
import {
  allowedStates,
  type BatchChange,
  type BatchOperations,
  type BatchOrder,
} from './batch-operations.ts';
import type { BatchFilter, BatchStore, ItemFilter } from './batch-store.ts';
import {
  type BatchChunks,
  type BatchItems,
  type BatchList,
  type BatchRetry,
  describeBatches,
  describeChunks,
  describeItem,
} from './run-documents.ts';
import { failedLine, outputLine } from './output-lines.ts';
import { type BatchPlace, placeText } from './run-requests.ts';

export interface BatchServiceOptions {
  readonly store: BatchStore;
  readonly operations: BatchOperations;
  readonly clock: Clock;
}

/** What of a batch's output is wanted, and how; JSON Lines where no format is named. */
export interface OutputWanted {
  /** Whether of a batch that is not over what has ended so far. */
  readonly isPartial: boolean;
  readonly format?: OutputFormat | undefined;
}

type Page = { readonly limit: number; readonly after: number };

/**
 * What operators see of batches and do with them. A batch is named by its id or its name. Everything throws
 * MILLRACE_BATCH_NOT_FOUND for one that is not there or not for the viewer, and MILLRACE_REQUEST_INVALID for a name that two teams have.
 */
export class BatchService {
  readonly #options: BatchServiceOptions;

  constructor(options: BatchServiceOptions) {
    this.#options = options;
  }

  /** A page of batches, newest first. */
  async list(
    filter: BatchFilter,
    viewer: Viewer,
    page: { readonly limit: number; readonly after?: BatchPlace | undefined },
  ): Promise<BatchList> {
    const { batches, next } = await this.#options.store.list(filter, viewer, page);
    return { batches: describeBatches(batches), ...(next === undefined ? {} : { next: placeText(next) }) };
  }

  async show(reference: string, viewer: Viewer): Promise<BatchDocument> {
    const batch = await this.find(reference, viewer);
    return batchDocument(batch, await this.#options.store.modes(batch.id));
  }

  /** The batch itself. */
  async find(reference: string, viewer: Viewer): Promise<Batch> {
    const [batch, other] = await this.#options.store.find(reference, viewer);
    if (batch === undefined)
      throw new AppError(
        batchErrors.MILLRACE_BATCH_NOT_FOUND,
        `There is no batch ${JSON.stringify(reference)}.`,
      );
    if (other === undefined) return batch;
    throw invalidRequest([
      {
        field: 'id',
        problem: `is the name of batches of several teams, ${batch.origin.team} among them: give the id`,
      },
    ]);
  }

  /** How far its chunks have come, as ranges. */
  async chunks(reference: string, viewer: Viewer, { limit, after }: Page): Promise<BatchChunks> {
    const batch = await this.find(reference, viewer);
    const ranges = await this.#options.store.chunks(batch.id, after, limit);
    const shown = ranges.slice(0, limit);
    const last = shown.at(-1);
    return {
      chunks: shown.map((range) => describeChunks(range)),
      ...(ranges.length > limit && last !== undefined ? { next: String(last.last) } : {}),
    };
  }

  /** A page of its items in their order. What was sent is shown where the viewer may see data. */
  async items(
    reference: string,
    viewer: Viewer,
    { maySeeData, ...page }: Page & ItemFilter & { readonly maySeeData: boolean },
  ): Promise<BatchItems> {
    const batch = await this.find(reference, viewer);
    const items = await this.#options.store.items(batch, viewer, page);
    const shown = items.slice(0, page.limit);
    const last = shown.at(-1);
    return {
      items: shown.map((item) => describeItem(item, maySeeData)),
      ...(items.length > page.limit && last !== undefined ? { next: String(last.position) } : {}),
    };
  }

  /**
   * Its output in the order of the input: one JSON object a line, or one row an item. Throws MILLRACE_BATCH_STATE while the batch is not over,
   * unless what has ended so far is wanted.
   */
  async output(
    reference: string,
    viewer: Viewer,
    { isPartial, format }: OutputWanted,
  ): Promise<{ readonly batch: Batch; readonly pieces: AsyncGenerator<string | Uint8Array> }> {
    const batch = await this.find(reference, viewer);
    if (!isPartial && !isOver(batch.state))
      throw stateError(
        batch,
        'its output can be had when it is over; what has ended so far with partial=true',
      );
    const { store } = this.#options;
    const pages = pagesOf((after) => store.output(batch, viewer, after));
    return { batch, pieces: format === 'parquet' ? outputParquet(pages) : linesOf(pages, outputLine) };
  }

  /** Its items that did not succeed, as they were sent, with why: ready to be sent again. Data that was erased is not among them. */
  async failedItems(
    reference: string,
    viewer: Viewer,
  ): Promise<{ readonly batch: Batch; readonly pieces: AsyncGenerator<string> }> {
    const batch = await this.find(reference, viewer);
    const { store } = this.#options;
    const pages = pagesOf((after) => store.failed(batch, viewer, after));
    return { batch, pieces: linesOf(pages, failedLine) };
  }

  /** No further chunk is begun; what is under way goes on to its end. Throws MILLRACE_BATCH_STATE, as everything below. */
  pause(reference: string, reason: string, operator: Operator): Promise<BatchDocument> {
    return this.#operate('pause', reference, reason, operator, (order) =>
      this.#options.operations.pause(order),
    );
  }

  /** It goes on, also one that halted: its tripwire then counts anew, and its chunks have all their attempts again. */
  resume(reference: string, reason: string, operator: Operator): Promise<BatchDocument> {
    return this.#operate('resume', reference, reason, operator, (order) =>
      this.#options.operations.resume(order),
    );
  }

  /** What is not begun ends as cancelled, what is under way is cancelled. What has ended stays as it is. */
  cancel(reference: string, reason: string, operator: Operator): Promise<BatchDocument> {
    const cause = { code: 'cancelled', detail: `${operator.actor}: ${reason}` };
    return this.#operate('cancel', reference, reason, operator, (order) =>
      this.#options.operations.cancel(order, cause),
    );
  }

  /** Another priority, another deadline. */
  change(
    reference: string,
    { reason, ...change }: BatchChange & { readonly reason: string },
    operator: Operator,
  ): Promise<BatchDocument> {
    const { deadline } = change;
    if (deadline instanceof Date && deadline <= this.#options.clock.now())
      throw invalidRequest([{ field: 'deadline', problem: 'is over' }]);
    return this.#operate('change', reference, reason, operator, (order) =>
      this.#options.operations.change(order, change),
    );
  }

  /**
   * Items that failed, expired or were cancelled run again: dead letters live again under their own ids, and use what they have paid for;
   * what was cancelled begins anew. A deadline that is over is forgotten. A batch that its quality let fail is checked anew, also without
   * such items.
   */
  async retry(reference: string, reason: string, operator: Operator): Promise<BatchRetry> {
    const batch = await this.find(reference, operator);
    const retried = await this.#options.operations.retry({ batchId: batch.id, operator, reason });
    if (retried !== undefined) return { batch: batchDocument(retried.batch), items: retried.items };
    const now = await this.find(batch.id, operator);
    const isAllowed = allowedStates.retry.some((state) => state === now.state);
    throw stateError(now, isAllowed ? 'none of its items can be run again' : namesOf('retry'));
  }

  async #operate(
    what: Exclude<keyof typeof allowedStates, 'retry'>,
    reference: string,
    reason: string,
    operator: Operator,
    operate: (order: BatchOrder) => Promise<Batch | undefined>,
  ): Promise<BatchDocument> {
    const batch = await this.find(reference, operator);
    const changed = await operate({ batchId: batch.id, operator, reason });
    if (changed !== undefined) return batchDocument(changed);
    throw stateError(await this.find(batch.id, operator), namesOf(what));
  }
}

function namesOf(what: keyof typeof allowedStates): string {
  const verbs = {
    pause: 'paused',
    resume: 'resumed',
    cancel: 'cancelled',
    change: 'changed',
    retry: 'run again',
  };
  return `it can be ${verbs[what]} while it is ${allowedStates[what].join(' or ')}`;
}

function stateError({ origin, state }: Batch, why: string): AppError {
  return new AppError(batchErrors.MILLRACE_BATCH_STATE, `The batch "${origin.batch}" is ${state}: ${why}.`);
}

/** Page by page; the first is read when it is asked for. */
async function* pagesOf<Item extends { readonly position: number }>(
  read: (after: number) => Promise<readonly Item[]>,
): AsyncGenerator<readonly Item[]> {
  for (let after = 0; ;) {
    const items = await read(after);
    const last = items.at(-1);
    if (last === undefined) return;
    after = last.position;
    yield items;
  }
}

/** In pieces of whole lines. */
async function* linesOf<Item>(
  pages: AsyncIterable<readonly Item[]>,
  lineOfItem: (item: Item) => string | undefined,
): AsyncGenerator<string> {
  for await (const items of pages) {
    const lines = items.flatMap((item) => lineOfItem(item) ?? []);
    if (lines.length > 0) yield `${lines.join('\n')}\n`;
  }
}
