import type { Uuid } from '../../kernel/ids.ts';
import type { Origin } from '../../messages/origin.ts';
import type { RecordedCall } from '../ledger/call-ledger.ts';
import type { DeferredWait } from './call-deferral.ts';

/*
 * Whether a message's request is answered by the call of another message that asked the same:
 *
 *   no recorded answer ─► courseOf ─► own       ─► put off, or made at once (see CallDeferral)
 *                             ├─────► answered  ─► the other's recorded answer is given; no call is made
 *                             └─────► awaited   ─► the message is parked; when it goes on, its handler runs again and asks anew
 *
 * It is asked after the message's own record, so a message that made the call is never answered by another, and before anything is reserved.
 */

/** A request without a recorded answer of its own message. */
export interface ShareableRequest {
  readonly origin: Origin;
  readonly messageId: Uuid;
  /** What its message follows from: the item of a batch. */
  readonly rootId: Uuid;
  readonly step: string;
  /** Which of its step it is in this run, from 1. */
  readonly ordinal: number;
  /** As its call would have it. */
  readonly digest: string;
  /** Of everything that is sent, headers included. */
  readonly fingerprint: string;
  /** Which request with this digest it is in this run, from 1: who asks three times gets three answers. */
  readonly occurrence: number;
}

export type SharedCourse =
  | { readonly kind: 'own' }
  | {
      readonly kind: 'answered';
      /** The call that was paid for. */
      readonly callId: Uuid;
      readonly answer: NonNullable<RecordedCall['answer']>;
      /** The answer is of no use to this message, which asks for itself from then on. The call is not touched: others may use its answer. */
      readonly reject: () => Promise<void>;
    }
  | { readonly kind: 'awaited'; readonly wait: DeferredWait };

/** Who knows of equal requests of other messages. One capability at most does. */
export interface CallSharing {
  courseOf(request: ShareableRequest): Promise<SharedCourse>;
}
