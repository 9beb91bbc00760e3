import type { Uuid } from '../../kernel/ids.ts';
import type { Amount } from '../../kernel/money.ts';
import type { Origin } from '../../messages/origin.ts';
import type { CallDraft } from './stored-call.ts';

/** A call about to be made. */
export interface Reservation extends CallDraft {
  /** The message it is made for, with the fencing token of its lease; absent for calls outside a stage. */
  readonly message: { readonly id: Uuid; readonly fencingToken: number } | undefined;
  /** For calls outside a stage: who caused it. */
  readonly origin: Origin | undefined;
  /** Which request of its step it is, from 1. */
  readonly ordinal: number;
  /** Digest of the canonical request: what was asked. */
  readonly requestDigest: string;
  /** What the call can use at most, all tokens together: for quotas of tokens. Default 0. */
  readonly upperBoundTokens?: number;
  /** What the answer can depend on besides the prompt, as JSON. */
  readonly parameters?: string;
  /** The names of the quotas that it must fit. Default none. */
  readonly quotas?: readonly string[];
}

/** What came of a reservation. */
export type ReserveOutcome =
  /** `at`: when, by the ledger's clock, which also decided the windows of its quotas. The time that its usage record carries. */
  | { readonly kind: 'reserved'; readonly at: Date }
  /** The lease has passed on (or this very call was made): it is not to be sent. */
  | { readonly kind: 'lease_expired' }
  /** An operator has stopped it. */
  | { readonly kind: 'blocked'; readonly block: Uuid }
  /** It does not fit what is left of a quota; nothing was reserved in any. */
  | {
      readonly kind: 'over_quota';
      readonly quota: string;
      /** In the unit that the quota counts. */
      readonly limit: Amount;
      readonly windowEndsAt: Date;
    };
