import { AppError } from '../../kernel/app-error.ts';
import { Parked } from '../parked.ts';
import { parkedForPause } from '../ledger/block.ts';
import type { ReserveOutcome } from '../ledger/reservation.ts';

/** Why the ledger did not let a call go out, as its handler sees it. */
export function notReserved(
  outcome: Exclude<ReserveOutcome, { kind: 'reserved' | 'over_quota' }>,
  step: string,
): AppError {
  switch (outcome.kind) {
    case 'lease_expired':
      return new AppError(
        'MILLRACE_LEASE_EXPIRED',
        `The lease has passed on: the call of step "${step}" was not made.`,
      );
    case 'blocked':
      return new Parked(`An operator has stopped this: the call of step "${step}" was not made.`, {
        reason: 'pause',
        parkedFor: parkedForPause(outcome.block),
      });
  }
}
