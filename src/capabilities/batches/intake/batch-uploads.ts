import { AppError, type Fault } from '../../../kernel/app-error.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { EventLoopTurn } from '../../../kernel/event-loop-turn.ts';
import { newId } from '../../../kernel/ids.ts';
import { batchErrors } from '../batch-errors.ts';
import { ItemReader, keptId } from './batch-item.ts';
import { InputFaults, UnreadableInput } from './input/input-faults.ts';
import { tooManyBytes } from './input/input-bytes.ts';
import { InputDigest } from './input/input-digest.ts';
import type { InputRecord } from './input/input-record.ts';
import {
  type BatchInput,
  confirmReadable,
  digestOfInput,
  type InputBounds,
  inputRecords,
  placeNameOf,
} from './input/input-records.ts';
import type { IncomingBatch, IntakeLedger, UploadToken, UploadTotals } from './intake-ledger.ts';
import { ItemWriter } from './item-writer.ts';

export interface BatchUploadsOptions {
  readonly ledger: IntakeLedger;
  /** Data as it is stored, checked as an admission checks it. Throws MILLRACE_MESSAGE_INVALID. */
  readonly checkData: (sent: {
    readonly typeName: string;
    readonly version: number;
    readonly data: unknown;
  }) => unknown;
  readonly bounds: InputBounds;
  readonly clock: Clock;
}

/** A batch whose items have come in. */
export interface TakenUpload {
  readonly batch: IncomingBatch;
  /** What was left out, where that is allowed: the first thousand faults. */
  readonly faults: readonly Fault[];
  readonly faultCount: number;
}

/** How many faults the text of an error names; all that are listed go with it. */
const toldFaults = 5;

/** Takes in the items of batches. An upload takes the place of all that came before it for the same batch. */
export class BatchUploads {
  readonly #options: BatchUploadsOptions;

  constructor(options: BatchUploadsOptions) {
    this.#options = options;
  }

  /**
   * Reads and checks an input to its end and writes its items, which are then complete; `confirm` is asked before that, and may throw.
   * Throws MILLRACE_BATCH_INPUT_INVALID with every fault, with no item left behind; MILLRACE_BATCH_STATE for a batch that is started or
   * over; MILLRACE_BATCH_UPLOAD_REPLACED; MILLRACE_REQUEST_TOO_LARGE; and what the input itself throws. A batch whose upload broke off
   * cannot be started, and takes another upload.
   */
  async take(
    { id }: Pick<IncomingBatch, 'id'>,
    input: BatchInput,
    {
      mayNameTeams,
      confirm = () => Promise.resolve(),
    }: { readonly mayNameTeams: boolean; readonly confirm?: () => Promise<void> },
  ): Promise<TakenUpload> {
    const { ledger, clock, bounds } = this.#options;
    await confirmReadable(input, bounds);
    const token: UploadToken = { batch: id, upload: newId(clock.now()) };
    const batch = await ledger.beginUpload(token);
    if (batch === undefined) {
      throw new AppError(
        batchErrors.MILLRACE_BATCH_STATE,
        'The batch is started or over: it takes no items any more.',
      );
    }
    if (!(await ledger.clear(token))) throw replaced();
    const faults = new InputFaults(placeNameOf(input.format));
    const writer = new ItemWriter({
      ledger,
      token,
      batch,
      onDuplicate: ({ place, fault }) => faults.add(place, [fault], 'item'),
    });
    const digest = new InputDigest(input);
    try {
      await this.#readAll(batch, input, { faults, writer, digest, mayNameTeams });
    } catch (error) {
      if (!(error instanceof UnreadableInput)) throw error;
      faults.add(error.place, [error.fault], 'input');
    }
    await writer.end();
    await confirm();
    if (writer.totals.items === 0 && faults.count === 0) {
      faults.add(undefined, [{ field: '', problem: 'has no items' }], 'input');
    }
    const skips = batch.settings.onInvalid === 'skip' && !faults.hasInputFault;
    if (faults.count > 0 && !skips) return await this.#refuse(token, faults);
    const totals = await this.#capped(token, batch, writer.totals);
    const complete = await ledger.endUpload(token, 'complete', { ...totals, digest: digest.end() });
    if (complete === undefined) throw replaced();
    return { batch: complete, faults: faults.listed, faultCount: faults.count };
  }

  /** Whether an input is the one that a batch has; undefined where that is not known. Reads it to its end. Throws MILLRACE_REQUEST_TOO_LARGE. */
  async isInputOf(
    { inputDigest }: Pick<IncomingBatch, 'inputDigest'>,
    input: BatchInput,
  ): Promise<boolean | undefined> {
    if (inputDigest === undefined) return undefined;
    return (await digestOfInput(input, this.#options.bounds)) === inputDigest;
  }

  async #readAll(
    batch: IncomingBatch,
    input: BatchInput,
    target: {
      readonly faults: InputFaults;
      readonly writer: ItemWriter;
      readonly digest: InputDigest;
      readonly mayNameTeams: boolean;
    },
  ): Promise<void> {
    const { checkData, bounds, clock } = this.#options;
    const { faults, writer, digest, mayNameTeams } = target;
    const { type: typeName, version, settings } = batch;
    const reader = new ItemReader({
      batch,
      checkData: (data) => checkData({ typeName, version, data }),
      maxDataBytes: bounds.maxDataBytes,
      mayNameTeams,
    });
    const turn = new EventLoopTurn(clock);
    let position = 0;
    for await (const record of inputRecords(input, bounds, { digest, clock })) {
      input.signal?.throwIfAborted();
      position += 1;
      if (position > bounds.maxItems) {
        const problem = `has more than ${bounds.maxItems} items; split it into several batches, or raise batches.maxItems`;
        throw new UnreadableInput({ field: '', problem }, record.place);
      }
      const item = await reader.read(position, record);
      if (item.kind === 'ready') {
        await writer.add(record.place, position, item);
      } else {
        faults.add(record.place, item.faults, record.kind === 'faulty' ? record.reach : 'item');
        if (settings.onInvalid === 'skip') {
          await writer.skip(record.place, position, {
            itemId: keptId(position, idOf(record)),
            faults: item.faults,
          });
        }
      }
      // What a line of some bytes stands for may be much: a table repeats a value for nothing.
      if (writer.totals.bytes > bounds.decodedBytes)
        throw tooManyBytes(bounds.decodedBytes, 'batches.decodedBytes');
      if (turn.isOver) await turn.giveWay();
    }
  }

  /** What the upload came to, after the rule of its batch for large items. */
  async #capped(
    token: UploadToken,
    { type: typeName, version, settings: { caps } }: IncomingBatch,
    totals: UploadTotals,
  ): Promise<UploadTotals> {
    if (caps === undefined) return totals;
    const { ledger, checkData } = this.#options;
    const check = (data: unknown): unknown => checkData({ typeName, version, data });
    const outcome = await ledger.itemCaps.apply(token, caps, check);
    return {
      ...totals,
      skipped: totals.skipped + outcome.skipped,
      tokens: totals.tokens - outcome.tokens,
      bytes: totals.bytes - outcome.bytes,
      caps: outcome.caps,
    };
  }

  /** Ends the upload with nothing of it left, and says why. */
  async #refuse(token: UploadToken, faults: InputFaults): Promise<never> {
    const { ledger } = this.#options;
    const none = { items: 0, chunks: 0, skipped: 0, tokens: 0, bytes: 0 };
    if ((await ledger.endUpload(token, 'faulty', none)) === undefined) throw replaced();
    await ledger.clear(token);
    const { listed, count } = faults;
    const told = listed.slice(0, toldFaults).map(({ field, problem }) => `${field}: ${problem}`);
    const more = count > told.length ? `; and ${count - told.length} more` : '';
    const listedOnly = count > listed.length ? ` The first ${listed.length} are listed.` : '';
    throw new AppError(
      batchErrors.MILLRACE_BATCH_INPUT_INVALID,
      `The input has ${count} ${count === 1 ? 'fault' : 'faults'}: ${told.join('; ')}${more}.${listedOnly}`,
      { faults: listed },
    );
  }
}

function idOf(record: InputRecord): unknown {
  return record.kind === 'item' ? record.parts.id : record.id;
}

function replaced(): AppError {
  return new AppError(
    batchErrors.MILLRACE_BATCH_UPLOAD_REPLACED,
    'Another upload of the same batch has begun, or the batch was started or discarded.',
  );
}
