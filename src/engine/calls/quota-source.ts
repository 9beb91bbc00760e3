import type { AppError } from '../../kernel/app-error.ts';
import { InvariantError } from '../../kernel/invariant.ts';
import type { Usd } from '../../kernel/money.ts';
import type { Origin } from '../../messages/origin.ts';
import type { ReserveOutcome } from '../ledger/reservation.ts';

/** A call that is about to be reserved, as far as quotas concern it. */
export interface QuotaQuestion {
  readonly origin: Origin;
  /** "provider/model" */
  readonly model: string;
  /** Of the message that it is made for; undefined outside a stage. */
  readonly pipeline: string | undefined;
  /** What the call can cost at most; undefined when no price is known. */
  readonly upperBoundUsd: Usd | undefined;
  /** What it can use at most, all tokens together. */
  readonly upperBoundTokens: number;
}

/** The quota that a call did not fit, with its window. */
export type MissedQuota = ReserveOutcome & { readonly kind: 'over_quota' };

/**
 * Which quotas a call has to fit, and what it means that one of them has no room. The ledger reserves and settles their amounts
 * with the call (src/engine/ledger/quota-sql.ts); the rows of `millrace.quotas` are written by who implements this.
 */
export interface QuotaSource {
  /** The names of the quotas that a call has to fit, all at once. Throws the error of a call that is refused before it is reserved. */
  readonly concerning: (question: QuotaQuestion) => readonly string[];
  /** The error of a call that did not fit; nothing was reserved. */
  readonly refusal: (question: QuotaQuestion, missed: MissedQuota) => AppError;
}

const none: readonly string[] = [];

/** Where nobody sets any. */
export const noQuotas: QuotaSource = {
  concerning: () => none,
  refusal: (_question, { quota }) => {
    throw new InvariantError(
      `Invariant broken: a call is reserved with the quota "${quota}", which nobody sets`,
    );
  },
};
