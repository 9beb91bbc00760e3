import { AppError } from '../../../kernel/app-error.ts';
import { derivedId, type Uuid } from '../../../kernel/ids.ts';
import type { MessageReplays } from '../../../engine/ledger/message-replays.ts';
import type { Admissions } from '../../../engine/pipeline/admissions.ts';
import type { MessageCanceller } from '../../../engine/pipeline/message-canceller.ts';
import type { Publisher } from '../../../engine/pipeline/publisher.ts';
import { isOver } from '../batch.ts';
import { refuseLarge } from '../caps/item-caps.ts';
import { removeSecrets } from '../../../telemetry/known-secrets.ts';
import { batchRecord, cancelRecord } from './batch-record.ts';
import type { BegunChunk, ChunkItem, ChunkLedger } from './chunk-ledger.ts';
import type { EndLedger } from './end-ledger.ts';
import { refusedEnd } from './item-end.ts';
import { messageOf, originOf, sourceOfRun } from './item-message.ts';
import { refusalKind } from './passing-failures.ts';

/*
 * Admits the items of a chunk. Admitting one again is a duplicate and changes nothing, so whoever died in the middle of a chunk
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
}

/** Items that are admitted at the same time; the ledger takes them in groups. */
const pageSize = 100;
const maxMessageLength = 2000;

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
    const { batch, begun } = chunk;
    const { ledger, replays, publisher } = this.#options;
    const moved = items.flatMap((item) => {
      const messageId = messageOf(batch, item);
      return messageId === item.messageId ? [] : [{ position: item.position, messageId }];
    });
    // The item has to know its message before that is there: otherwise nobody would see it end.
    await ledger.setMessageIds(batch.id, moved);
    if (begun > 1) {
      const record = {
        ...batchRecord(batch, `chunk ${chunk.chunk} is begun again`),
        // The same for whoever goes on with it, so that nothing lives again twice in one attempt.
        id: derivedId(batch.createdAt, 'batch-retry', batch.id, String(chunk.chunk), String(begun)),
      };
      const revived = await replays.replay(
        items.map(({ messageId }) => messageId),
        record,
      );
      for (const { stage, id } of revived) publisher.notify(stage, id);
    }
    const outcomes = await Promise.allSettled(items.map((item) => this.#admitOne(chunk, item)));
    return items.flatMap((item, index) => {
      const outcome = outcomes[index];
      return outcome?.status === 'rejected' ? [{ item, error: asAppError(outcome.reason) }] : [];
    });
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

  async #fail({ batch, chunk }: BegunChunk, refused: readonly Refused[]): Promise<readonly Uuid[]> {
    return await this.#options.ends.record(
      refused.map(({ item: { position, itemId, messageId }, error }) => ({
        item: { batchId: batch.id, chunk, position, itemId, messageId, bytes: 0 },
        was: 'running',
        end: refusedEnd({ id: itemId, position }, { code: error.code, message: told(error) }),
      })),
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
