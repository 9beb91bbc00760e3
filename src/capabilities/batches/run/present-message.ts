import { isDeepStrictEqual } from 'node:util';
import { referenceOf } from '../../../drivers/payload-store/payload-reference.ts';
import { AppError } from '../../../kernel/app-error.ts';
import type { Batch } from '../batch.ts';
import { batchErrors } from '../batch-errors.ts';
import type { ChunkItem, PresentMessage } from './chunk-ledger.ts';
import { originOf } from './item-message.ts';

const erasedSource = 'erased';

/** Why a message is not the item's; undefined where it is, or was erased with what could be compared. */
export function refuseOther(message: PresentMessage, batch: Batch, item: ChunkItem): AppError | undefined {
  if (item.data === undefined || message.source === erasedSource) return undefined;
  const part = differingPart(message, batch, item, item.data);
  if (part === undefined) return undefined;
  return new AppError(
    batchErrors.MILLRACE_BATCH_ITEM_TAKEN,
    `Another message has the identity of this item, with another ${part}: it was not sent by the batch.`,
  );
}

function differingPart(
  message: PresentMessage,
  batch: Batch,
  item: ChunkItem,
  json: string,
): string | undefined {
  const { customer, feature, batch: name, labels } = originOf(batch, item);
  const told: unknown = message.labels === null ? {} : JSON.parse(message.labels);
  if (message.type !== batch.type || message.version !== batch.version) return 'type';
  if (message.customer !== customer || message.feature !== feature || message.batch !== (name ?? null))
    return 'origin';
  if (!isDeepStrictEqual(told, { ...labels })) return 'origin';
  return hasData(message, JSON.parse(json)) ? undefined : 'data';
}

function hasData({ body, body_ref: reference }: PresentMessage, data: unknown): boolean {
  if (reference !== null) return reference === referenceOf(Buffer.from(JSON.stringify(data)));
  return body !== null && isDeepStrictEqual(JSON.parse(body), data);
}
