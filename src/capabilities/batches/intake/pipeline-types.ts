import { type AskedEntry, entryTypeOf } from '../../../engine/pipeline/pipeline-types.ts';
import type { StageRegistry } from '../../../engine/pipeline/stage-registry.ts';
import { AppError } from '../../../kernel/app-error.ts';
import { batchErrors } from '../batch-errors.ts';

/** The messages that a batch's items are. */
export interface ItemType {
  readonly type: string;
  readonly version: number;
}

/**
 * The type of a batch's items: as asked, or the one that the pipeline takes in, in its newest version. An item is one message. Throws
 * MILLRACE_BATCH_TYPE_UNCLEAR with what there is to choose from, and MILLRACE_MESSAGE_VERSION_UNSUPPORTED.
 */
export function itemTypeOf(
  registry: Pick<StageRegistry, 'stages' | 'consumersOf'>,
  asked: AskedEntry,
): ItemType {
  const entry = entryTypeOf(registry, asked);
  if ('unclear' in entry) throw new AppError(batchErrors.MILLRACE_BATCH_TYPE_UNCLEAR, entry.unclear);
  return { type: entry.type, version: entry.version };
}
