import { AppError } from '../../kernel/app-error.ts';
import type { Clock, Timer } from '../../kernel/clock.ts';
import type { Uuid } from '../../kernel/ids.ts';
import type { BlockableWork } from '../ledger/block.ts';
import type { RunRef } from '../ledger/message-changes.ts';
import type { LeaseRef } from '../ledger/message-ledger.ts';
import type { Logger } from '../../telemetry/logger.ts';

/*
 * Keeps the leases of everything this process works on, and stops the work in time when it cannot.
 *
 * A lease was granted on the database's clock, at some moment after we asked; counted from the moment of asking on
 * our own monotonic clock it therefore ends no earlier there than here. A third into its length it is renewed. If no
 * renewal came back by the deadline less a margin, the handler's signal is aborted: the request to the provider is
 * cut before another worker can be given the message, so that two never pay at once.
 */

export interface LeaseRenewerOptions {
  readonly clock: Clock;
  readonly renew: (leases: readonly LeaseRef[]) => Promise<ReadonlySet<Uuid>>;
  readonly logger: Logger;
  readonly onExpired: (stage: string) => void;
  /** How often it looks. Default 250 ms. */
  readonly tickMs?: number;
}

/** A lease that is renewed: its signal aborts when it is lost, or when the host says so. */
export interface Lease {
  readonly signal: AbortSignal;
  /** True once the lease can no longer be relied on. */
  isExpired(): boolean;
  abort(reason: Error): void;
  /** The work is over: the lease is not renewed any more. */
  release(): void;
}

interface Entry extends LeaseRef, BlockableWork {
  readonly controller: AbortController;
  deadlineMs: number;
  expired: boolean;
}

export class LeaseRenewer {
  readonly #options: LeaseRenewerOptions;
  readonly #leases = new Map<Uuid, Entry>();
  #timer: Timer;
  #abortedBy: Error | undefined;
  #renewing: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: LeaseRenewerOptions) {
    this.#options = options;
    this.#timer = this.#nextTick();
  }

  get size(): number {
    return this.#leases.size;
  }

  /** Begins to keep a lease that was asked for at `askedAtMs` of the monotonic clock. */
  keep(lease: LeaseRef & BlockableWork & { readonly askedAtMs: number }): Lease {
    const entry: Entry = {
      id: lease.id,
      fencingToken: lease.fencingToken,
      leaseMs: lease.leaseMs,
      stage: lease.stage,
      origin: lease.origin,
      controller: new AbortController(),
      deadlineMs: lease.askedAtMs + lease.leaseMs,
      expired: false,
    };
    // Whoever gets a message while it is still at work on it has lost it meanwhile.
    const before = this.#leases.get(lease.id);
    if (before !== undefined && !before.expired) this.#expire(before, 'it has passed on, to this process');
    this.#leases.set(lease.id, entry);
    if (this.#abortedBy !== undefined) entry.controller.abort(this.#abortedBy);
    return {
      signal: entry.controller.signal,
      isExpired: () => entry.expired || this.#isPastDeadline(entry),
      abort: (reason) => entry.controller.abort(reason),
      release: () => {
        if (this.#leases.get(entry.id) === entry) this.#leases.delete(entry.id);
      },
    };
  }

  /** Aborts each piece of work for which there is a reason. */
  abortEach(reasonFor: (work: BlockableWork) => Error | undefined): void {
    for (const entry of this.#leases.values()) {
      const reason = reasonFor(entry);
      if (reason !== undefined) entry.controller.abort(reason);
    }
  }

  /** What this process works on, with the fencing tokens of its leases. */
  all(): readonly LeaseRef[] {
    return [...this.#leases.values()].filter(({ expired }) => !expired);
  }

  /** The message has ended without its run: aborts that run, whose lease nobody can renew any more. */
  cancel({ id, fencingToken }: RunRef, reason: Error): void {
    const entry = this.#leases.get(id);
    if (entry === undefined || entry.fencingToken !== fencingToken) return;
    this.#leases.delete(id);
    entry.controller.abort(reason);
  }

  /** Aborts all work, and whatever begins after it (the host's grace time is over). */
  abortAll(reason: Error): void {
    this.#abortedBy = reason;
    for (const entry of this.#leases.values()) entry.controller.abort(reason);
  }

  /** Stops looking; resolves after a renewal that is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer.close();
    await this.#renewing;
  }

  /** Resolves when no renewal is under way. */
  async settled(): Promise<void> {
    await this.#renewing;
  }

  #nextTick(): Timer {
    const { clock, tickMs = 250 } = this.#options;
    return clock
      .startTimer(tickMs, () => {
        if (!this.#isClosed) this.#timer = this.#nextTick();
        this.#tick();
      })
      .unref();
  }

  #tick(): void {
    const nowMs = this.#options.clock.monotonicMs();
    const due: Entry[] = [];
    for (const entry of this.#leases.values()) {
      if (entry.expired) continue;
      if (this.#isPastDeadline(entry)) this.#expire(entry, 'it was not renewed in time');
      else if (nowMs >= entry.deadlineMs - (entry.leaseMs * 2) / 3) due.push(entry);
    }
    if (due.length === 0 || this.#renewing !== undefined) return;
    this.#renewing = this.#renew(due, nowMs).finally(() => {
      this.#renewing = undefined;
    });
  }

  async #renew(due: readonly Entry[], askedAtMs: number): Promise<void> {
    try {
      const kept = await this.#options.renew(due);
      for (const entry of due) {
        if (kept.has(entry.id)) entry.deadlineMs = askedAtMs + entry.leaseMs;
        else if (this.#leases.get(entry.id) === entry) this.#expire(entry, 'it has passed on');
      }
    } catch (error) {
      // The next tick tries again; the deadline decides, not the number of failures.
      this.#options.logger.warn({ error, leases: due.length }, 'leases could not be renewed');
    }
  }

  #isPastDeadline(entry: Entry): boolean {
    const marginMs = Math.min(2000, entry.leaseMs * 0.15);
    return this.#options.clock.monotonicMs() >= entry.deadlineMs - marginMs;
  }

  #expire(entry: Entry, why: string): void {
    entry.expired = true;
    this.#options.onExpired(entry.stage);
    entry.controller.abort(
      new AppError('MILLRACE_LEASE_EXPIRED', `The lease on message ${entry.id} was lost: ${why}`),
    );
  }
}
