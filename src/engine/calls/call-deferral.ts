import type { Uuid } from '../../kernel/ids.ts';
import type { Origin } from '../../messages/origin.ts';
import type { ParkedOptions } from '../parked.ts';
import type { CallFailureKind } from '../providers/health-signal.ts';
import type { ProviderKind } from '../providers/provider-config.ts';
import type { RenderedRequest } from '../providers/provider-exchange.ts';
import type { RequestBounds } from '../providers/request-bounds.ts';
import type { DeferredFailure } from './call-journal.ts';

/*
 * Whether a message's request to a model is made at once, or put off. A request that is put off is a call like any other (reserved, with
 * its quotas, then settled), whose message waits meanwhile without a lease:
 *
 *   no recorded answer ─► courseOf ─► now        ─► gates, reserved, sent
 *                             ├─────► refused    ─► the handler gets the error that the put-off request had
 *                             └─────► deferred   ─► kept ─► reserved as `batch` ─► the message is parked
 *                                                             └─ settled by whoever kept it, who then releases the message:
 *                                                                its handler runs again and finds the recorded answer
 *
 * What is kept comes first, so that a call that is reserved as `batch` always has somebody who settles it: such calls are never given up for
 * their message's lease, which is over by design. What is kept without its call being reserved is nothing: it is never sent.
 */

/** A request that a message is about to make, and that may be put off. */
export interface DeferrableRequest {
  readonly origin: Origin;
  readonly messageId: Uuid;
  /** The message that it follows from, or itself. */
  readonly rootId: Uuid;
  readonly stage: string;
  /** The configured name of the provider. */
  readonly provider: string;
  readonly kind: ProviderKind;
  readonly model: string;
  /** The service tier that the request itself asks for. */
  readonly tier: string;
  /** How often it was put off and has no answer that counts, since an operator had its message run again. */
  readonly deferrals: number;
  /** How the last of those failed. */
  readonly lastFailure: DeferredFailure | undefined;
}

/** A request that is put off. */
export interface DeferredRequest {
  readonly callId: Uuid;
  readonly messageId: Uuid;
  readonly provider: string;
  readonly model: string;
  readonly request: RenderedRequest;
  readonly bounds: RequestBounds;
  /** Of its input, estimated. */
  readonly inputTokens: number;
}

/** What the message of a request that is put off waits for. */
export type DeferredWait = Pick<ParkedOptions, 'reason' | 'about'> & { readonly parkedFor: string };

/** How a request is made. */
export type RequestCourse =
  | { readonly kind: 'now' }
  /** At once, in this service tier. */
  | { readonly kind: 'tier'; readonly tier: string }
  /** Not at all: it was put off, and failed in a way that comes again. */
  | { readonly kind: 'refused'; readonly failure: CallFailureKind; readonly message: string }
  /** Not now, and maybe never. */
  | { readonly kind: 'parked'; readonly message: string; readonly wait: ParkedOptions }
  | {
      readonly kind: 'deferred';
      readonly wait: DeferredWait;
      /** Makes it durable. False: it cannot be put off in this form, and is made at once. */
      readonly keep: (request: DeferredRequest) => Promise<boolean>;
    };

/** Who puts requests off. One capability at most does. */
export interface CallDeferral {
  courseOf(request: DeferrableRequest): Promise<RequestCourse>;
  /** What a message waits for while a request of it is under way. */
  waitOf(messageId: Uuid): Promise<DeferredWait>;
}
