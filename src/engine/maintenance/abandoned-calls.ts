import type { Clock } from '../../kernel/clock.ts';
import type { CallLedger } from '../ledger/call-ledger.ts';
import { renderUsageLine } from '../export/usage-record.ts';
import { recordOfAbandoned } from '../calls/usage-record-of-call.ts';

export interface AbandonedCallsOptions {
  readonly ledger: CallLedger;
  readonly clock: Clock;
  /** How old a reservation must be at least; more than a settlement takes after its lease has ended. Default 0. */
  readonly graceMs?: number;
  /** How many are given up in one statement. Default 500. */
  readonly sliceSize?: number;
}

/**
 * Gives up calls that were reserved and whose maker is gone (it died, or let its lease expire): each gets its usage record,
 * as unsettled with its upper bound. Should the maker live after all, it settles late and corrects the record.
 */
export class AbandonedCalls {
  readonly #ledger: CallLedger;
  readonly #clock: Clock;
  readonly #graceMs: number;
  readonly #sliceSize: number;

  constructor({ ledger, clock, graceMs = 0, sliceSize = 500 }: AbandonedCallsOptions) {
    this.#ledger = ledger;
    this.#clock = clock;
    this.#graceMs = graceMs;
    this.#sliceSize = sliceSize;
  }

  /** Gives up all there are. Answers how many this was. */
  async settleAbandoned(): Promise<number> {
    let total = 0;
    for (;;) {
      const calls = await this.#ledger.listAbandoned(this.#graceMs, this.#sliceSize);
      if (calls.length === 0) return total;
      const now = this.#clock.now();
      const given = await this.#ledger.abandon(
        calls.map((call) => ({ id: call.id, line: renderUsageLine(recordOfAbandoned(call, now)) })),
      );
      total += given;
      // Others settled or gave up all of them meanwhile: what is left belongs to them.
      if (given === 0 || calls.length < this.#sliceSize) return total;
    }
  }
}
