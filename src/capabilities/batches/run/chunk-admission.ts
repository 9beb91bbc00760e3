import { AppError } from '../../../kernel/app-error.ts';
import { derivedId, type Uuid } from '../../../kernel/ids.ts';
import type { AnswerWaste } from '../../../engine/calls/answer-waste.ts';
import type { MessageReplays } from '../../../engine/ledger/message-replays.ts';
import type { Admissions } from '../../../engine/pipeline/admissions.ts';
import type { MessageCanceller } from '../../../engine/pipeline/message-canceller.ts';
import type { Publisher } from '../../../engine/pipeline/publisher.ts';
import { type Batch, isOver } from '../batch.ts';
import { batchErrors } from '../batch-errors.ts';
import { refuseLarge } from '../caps/item-caps.ts';
import { removeSecrets } from '../../../telemetry/known-secrets.ts';
import { batchRecord, cancelRecord } from './batch-record.ts';
import type { BegunChunk, ChunkItem, ChunkLedger } from './chunk-ledger.ts';
import type { EndLedger } from './end-ledger.ts';
import { refusedEnd } from './item-end.ts';
import { messageOf, originOf, sourceOfRun } from './item-message.ts';
import { refuseOther } from './present-message.ts';
import { refusalKind } from './passing-failures.ts';

/*
 * Admits the items of a chunk, page by page, as long as its batch is not cancelled: an item of a cancelled batch without a message ends only
 * when nobody can be about to admit it. Admitting one again is a duplicate and changes nothing, so whoever died in the middle of a chunk
 * leaves it to be begun anew as a whole. Items that died in an earlier attempt of the chunk live again under their own ids: what they have
 * paid for is not paid again.
 */

export interface ChunkAdmissionOptions {
  readonly ledger: ChunkLedger;
  readonly ends: EndLedger;
  readonly admissions: Pick<Admissions, 'admitUnchecked'>;
  readonly replays: MessageReplays;
  readonly canceller: MessageCanceller;
  readonly publisher: Pick<Publisher, 'notify'>;
  readonly waste: Pick<AnswerWaste, 'ofTrees'>;
}

/** Items that are admitted at the same time; the ledger takes them in groups. */
const pageSize = 100;
const maxMessageLength = 2000;
/** Longer than the admission of a page takes. So long a cancelled batch waits for a process that died while it admitted. */
const admissionMs = 120_000;

type Refused = { readonly item: ChunkItem; readonly error: AppError };

export class ChunkAdmission {
  readonly #options: ChunkAdmissionOptions;

  constructor(options: ChunkAdmissionOptions) {
    this.#options = options;
  }

  /** Answers the batches of which items have ended, because their messages were refused. */
  async admit(chunk: BegunChunk): Promise<readonly Uuid[]> {
    const { ledger } = this.#options;
    const touched: Uuid[] = [];
    const putBack: Refused[] = [];
    const admitted: Uuid[] = [];
    for (let after = 0; ;) {
      if (!(await ledger.renewAdmission(chunk, admissionMs))) {
        await ledger.leaveAdmission(chunk);
        await this.#takeBack(chunk, admitted);
        return touched;
      }
      const items = await ledger.readItems(chunk, after, pageSize);
      const last = items.at(-1);
      if (last === undefined) break;
      after = last.position;
      const isHopeless = putBack.length > 0 && admitted.length === 0;
      const refused = isHopeless
        ? items.map((item) => ({ item, error: lastError(putBack) }))
        : await this.#page(chunk, items);
      const refusedAt = new Set(refused.map(({ item }) => item.position));
      for (const item of items)
        if (!refusedAt.has(item.position)) admitted.push(messageOf(chunk.batch, item));
      const failed = refused.filter(({ error }) => refusalKind(error) === 'item');
      putBack.push(...refused.filter(({ error }) => refusalKind(error) !== 'item'));
      touched.push(...(await this.#fail(chunk, failed)));
    }
    if (putBack.length > 0) await this.#putBack(chunk, putBack);
    else if (!(await ledger.markAdmitted(chunk))) await this.#takeBack(chunk, admitted);
    return touched;
  }

  /** Answers those that were refused. */
  async #page(chunk: BegunChunk, items: readonly ChunkItem[]): Promise<readonly Refused[]> {
    const { batch } = chunk;
    const { ledger, waste } = this.#options;
    const moved = items.flatMap((item) => {
      const messageId = presentMessageOf(batch, item);
      return messageId === item.messageId
        ? []
        : [{ position: item.position, messageId, was: item.messageId }];
    });
    // What the cancelled messages paid for is not asked for again, and not used: it is known before the item forgets them.
    await waste.ofTrees(moved.map(({ was }) => was));
    // The item has to know its message before that is there: otherwise nobody would see it end.
    await ledger.setMessageIds(batch.id, moved);
    const others = await this.#others(batch, items);
    const taken = new Set(others.map(({ item }) => item.position));
    const own = items.filter(({ position }) => !taken.has(position));
    const outcomes = await Promise.allSettled(own.map((item) => this.#admitOne(chunk, item)));
    const unfit = own.flatMap((item, index) => {
      const outcome = outcomes[index];
      return outcome?.status === 'rejected' ? [{ item, error: asAppError(outcome.reason) }] : [];
    });
    const refused = [...others, ...unfit];
    // What is refused stays dead: nothing of it may run on while its item waits, or has ended.
    const refusedAt = new Set(refused.map(({ item }) => item.position));
    if (chunk.begun > 1)
      await this.#revive(
        chunk,
        items.filter(({ position }) => !refusedAt.has(position)),
      );
    return refused;
  }

  /** Items in whose place a message is that differs: admitting them would be a duplicate, and its end would be theirs. */
  async #others(batch: Batch, items: readonly ChunkItem[]): Promise<readonly Refused[]> {
    const present = await this.#options.ledger.readPresent(
      items.map((item) => presentMessageOf(batch, item)),
    );
    if (present.length === 0) return [];
    const byId = new Map(present.map((message) => [message.id, message]));
    return items.flatMap((item) => {
      const message = byId.get(presentMessageOf(batch, item));
      const error = message === undefined ? undefined : refuseOther(message, batch, item);
      return error === undefined ? [] : [{ item, error }];
    });
  }

  /** Messages that died in an earlier attempt live again. */
  async #revive({ batch, chunk, begun }: BegunChunk, items: readonly ChunkItem[]): Promise<void> {
    const { replays, publisher } = this.#options;
    const record = {
      ...batchRecord(batch, `chunk ${chunk} is begun again`),
      // The same for whoever goes on with it, so that nothing lives again twice in one attempt.
      id: derivedId(batch.createdAt, 'batch-retry', batch.id, String(chunk), String(begun)),
    };
    const revived = await replays.replay(
      items.map(({ messageId }) => messageId),
      record,
    );
    for (const { stage, id } of revived) publisher.notify(stage, id);
  }

  async #admitOne({ batch }: BegunChunk, item: ChunkItem): Promise<void> {
    refuseLarge(batch.settings.caps, batch.caps, item.tokens);
    if (item.data === undefined)
      throw new AppError(
        'MILLRACE_MESSAGE_INVALID',
        'The data of the item was erased before it was admitted.',
      );
    await this.#options.admissions.admitUnchecked(
      { typeName: batch.type, version: batch.version, data: JSON.parse(item.data) as unknown },
      {
        origin: originOf(batch, item),
        id: item.itemId,
        source: sourceOfRun(batch.id, item.run),
        item: item.itemId,
        lane: 'bulk',
      },
    );
  }

  /** An earlier attempt may have paid for answers. */
  async #fail({ batch, chunk, begun }: BegunChunk, refused: readonly Refused[]): Promise<readonly Uuid[]> {
    const { ends } = this.#options;
    // What another's message has asked for is not the item's.
    const ids = refused
      .filter(({ error }) => error.code !== batchErrors.MILLRACE_BATCH_ITEM_TAKEN.code)
      .map(({ item }) => presentMessageOf(batch, item));
    const answers = begun === 1 || ids.length === 0 ? [] : await ends.readAnswers(ids);
    return await ends.record(
      refused.map(({ item, error }) => {
        const { position, itemId } = item;
        const messageId = presentMessageOf(batch, item);
        return {
          item: { batchId: batch.id, chunk, position, itemId, messageId, bytes: 0 },
          was: 'running',
          begun,
          end: refusedEnd(
            { id: itemId, position },
            { code: error.code, message: told(error) },
            answers.filter(({ rootId, isUsed }) => isUsed && rootId === messageId),
          ),
        };
      }),
    );
  }

  async #putBack(chunk: BegunChunk, refused: readonly Refused[]): Promise<void> {
    const { ledger } = this.#options;
    const { batch, attempts } = chunk;
    const { backoffSeconds, chunks: retries } = batch.settings.retry;
    const store = refused.find(({ error }) => refusalKind(error) === 'store');
    const error = store?.error ?? lastError(refused);
    const cause = { code: error.code, detail: told(error) };
    // A budget may be raised long before its window turns: it is asked again meanwhile.
    const delayMs = Math.min(error.retryAfterMs ?? Infinity, backoffSeconds * 1000);
    const positions = refused.map(({ item }) => item.position);
    await ledger.putBack(chunk, positions, { delayMs, cause, counts: store !== undefined });
    if (store !== undefined && attempts > retries) await ledger.halt(batch.id, cause);
  }

  /** The batch was cancelled while its items were admitted: nobody else would cancel these. */
  async #takeBack({ batch }: BegunChunk, admitted: readonly Uuid[]): Promise<void> {
    const { ledger, canceller } = this.#options;
    const state = await ledger.stateOf(batch.id);
    if (state !== undefined && state !== 'cancelling' && !isOver(state)) return;
    const record = cancelRecord(batch);
    for (let from = 0; from < admitted.length; from += pageSize)
      await canceller.cancel(admitted.slice(from, from + pageSize), record);
  }
}

/** The message that the item has in this run of it. One whose data was erased is not run: it keeps the one it had. */
function presentMessageOf(batch: Batch, item: ChunkItem): Uuid {
  return item.data === undefined ? item.messageId : messageOf(batch, item);
}

function lastError(refused: readonly Refused[]): AppError {
  return refused.at(-1)?.error ?? new AppError('MILLRACE_INTERNAL', 'Nothing was refused.');
}

/** An error without a code is a fault of the program: it ends this item, with its text, and not the other items of all batches. */
function asAppError(reason: unknown): AppError {
  if (reason instanceof AppError) return reason;
  return new AppError(
    'MILLRACE_INTERNAL',
    reason instanceof Error ? reason.message : 'The item could not be admitted.',
    {
      cause: reason,
    },
  );
}

function told(error: AppError): string {
  return removeSecrets(error.message)
    .slice(0, maxMessageLength)
    .toWellFormed()
    .replaceAll('\u0000', '\uFFFD');
}
