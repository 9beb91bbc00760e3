import { AppError } from '../../kernel/app-error.ts';
import type { Uuid } from '../../kernel/ids.ts';
import type { LeaseRenewer } from './lease-renewer.ts';

/** Where the ledger says which messages were cancelled. */
interface CancelledRuns {
  /** Which of the runs in progress an operator has cancelled. */
  cancelledAmong(
    runs: readonly { readonly id: Uuid; readonly fencingToken: number }[],
  ): Promise<ReadonlySet<Uuid>>;
}

export interface CancelWatcherOptions {
  readonly operations: CancelledRuns;
  readonly leases: Pick<LeaseRenewer, 'all' | 'cancel'>;
}

/**
 * Ends the runs of this process whose messages an operator has cancelled, in whichever process that was. The ledger has ended
 * the message by then and takes nothing more from the run; this only keeps it from going on in vain.
 */
export class CancelWatcher {
  readonly #options: CancelWatcherOptions;

  constructor(options: CancelWatcherOptions) {
    this.#options = options;
  }

  /** One look; there never is more to do at once. */
  async look(): Promise<false> {
    const { operations, leases } = this.#options;
    const leased = leases.all();
    const cancelled = await operations.cancelledAmong(leased);
    for (const lease of leased) {
      if (!cancelled.has(lease.id)) continue;
      const reason = new AppError('MILLRACE_MESSAGE_CANCELLED', 'An operator has cancelled the message.');
      leases.cancel(lease, reason);
    }
    return false;
  }
}
