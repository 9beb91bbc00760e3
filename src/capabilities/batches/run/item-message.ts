import type { Uuid } from '../../../kernel/ids.ts';
import type { Origin } from '../../../messages/origin.ts';
import { messageIdOf } from '../../../engine/pipeline/admissions.ts';
import { type Batch, sourceOf } from '../batch.ts';
import type { ChunkItem } from './chunk-ledger.ts';

/* What an item's message is admitted with. Its identity follows from team, source and the item's id. */

/** What the identity follows from. */
type Identified = Pick<ChunkItem, 'itemId' | 'run' | 'team'>;

/** Who sends the message: with the first run of an item the batch, later, where a message before it was cancelled, that run of it. */
export function sourceOfRun(batchId: Uuid, run: number): string {
  return run === 0 ? sourceOf(batchId) : `${sourceOf(batchId)}?run=${run}`;
}

/** The id of the item's message, as admission makes it. */
export function messageOf(batch: Batch, { itemId, run, team }: Identified): Uuid {
  return messageIdOf(team ?? batch.origin.team, sourceOfRun(batch.id, run), itemId);
}

/** The batch's origin, with what the item says of its own. */
export function originOf({ origin }: Batch, { customer, team, labels }: ChunkItem): Origin {
  return {
    ...origin,
    ...(customer === undefined ? {} : { customer }),
    ...(team === undefined ? {} : { team }),
    ...(labels === undefined ? {} : { labels }),
  };
}
