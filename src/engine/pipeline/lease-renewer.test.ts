import { afterEach, describe, expect, it, vi } from 'vitest';
import { AppError } from '../../kernel/app-error.ts';
import { ManualClock } from '../../kernel/manual-clock.ts';
import type { LeaseRef } from '../ledger/message-ledger.ts';
import { silentLogger } from '../../telemetry/silent-logger.ts';
import { LeaseRenewer } from './lease-renewer.ts';

type Renew = (lease: readonly LeaseRef[]) => Promise<ReadonlySet<string>>;

const leaseMs = 15_000;

describe('LeaseRenewer', () => {
  const renewers: LeaseRenewer[] = [];

  afterEach(async () => {
    for (const renewer of renewers.splice(0)) await renewer.close();
  });

  function begin(renew: (lease: readonly LeaseRef[]) => Promise<ReadonlySet<string>>) {
    const clock = new ManualClock();
    const expired: string[] = [];
    const renewer = new LeaseRenewer({
      clock,
      renew,
      logger: silentLogger,
      onExpired: (stage) => expired.push(stage),
      tickMs: 100,
    });
    renewers.push(renewer);
    const lease = renewer.keep({
      id: 'm1',
      fencingToken: 3,
      leaseMs,
      stage: 'first',
      origin: { team: 'blue', customer: 'acme', feature: 'search' },
      askedAtMs: clock.monotonicMs(),
    });
    const pass = async (ms: number): Promise<void> => {
      clock.advance(ms);
      await new Promise((resolve) => setImmediate(resolve));
    };
    return { lease, expired, pass, renewer, clock };
  }

  it('renews from a third of the length on, and keeps the lease as long as that succeeds', async () => {
    const renew = vi.fn<Renew>((due: readonly LeaseRef[]) =>
      Promise.resolve(new Set(due.map((one) => one.id))),
    );
    const { lease, pass } = begin(renew);
    await pass(4000);
    expect(renew).not.toHaveBeenCalled();
    for (let turn = 0; turn < 10; turn += 1) await pass(6000);
    expect(renew.mock.calls.length).toBeGreaterThanOrEqual(9);
    expect(renew.mock.calls[0]?.[0]).toMatchObject([{ id: 'm1', fencingToken: 3, leaseMs }]);
    expect(lease.signal.aborted).toBe(false);
  });

  it('aborts work whose message this process was given again: its lease had ended', async () => {
    const { lease, expired, pass, renewer, clock } = begin((due) =>
      Promise.resolve(new Set(due.map((one) => one.id))),
    );
    const again = renewer.keep({
      id: 'm1',
      fencingToken: 4,
      leaseMs,
      stage: 'first',
      origin: { team: 'blue', customer: 'acme', feature: 'search' },
      askedAtMs: clock.monotonicMs(),
    });
    expect(lease.isExpired()).toBe(true);
    expect(lease.signal.reason).toMatchObject({ code: 'MILLRACE_LEASE_EXPIRED' });
    expect(expired).toEqual(['first']);
    lease.release();
    expect(renewer.size).toBe(1);
    await pass(6000);
    expect(again.isExpired()).toBe(false);
  });

  it('aborts the work before the lease can pass on when no renewal comes back', async () => {
    const { promise: never, resolve: answer } = Promise.withResolvers<ReadonlySet<string>>();
    const { lease, expired, pass } = begin(() => never);
    await pass(12_900);
    expect(lease.signal.aborted).toBe(false);
    await pass(200);
    expect(lease.signal.aborted).toBe(true);
    expect(lease.signal.reason).toMatchObject({ code: 'MILLRACE_LEASE_EXPIRED' });
    expect(lease.isExpired()).toBe(true);
    expect(expired).toEqual(['first']);
    answer(new Set(['m1']));
    await pass(100);
    expect(lease.isExpired()).toBe(true);
  });

  it('goes on through renewals that fail, until the deadline', async () => {
    const renew = vi.fn<Renew>(() => Promise.reject(new AppError('MILLRACE_DATABASE_UNAVAILABLE', 'away')));
    const { lease, pass } = begin(renew);
    await pass(6000);
    await pass(3000);
    expect(renew.mock.calls.length).toBeGreaterThanOrEqual(2);
    expect(lease.signal.aborted).toBe(false);
    await pass(5000);
    expect(lease.signal.aborted).toBe(true);
  });

  it('aborts at once when the lease has passed on', async () => {
    const { lease, pass } = begin(() => Promise.resolve(new Set<string>()));
    await pass(6000);
    expect(lease.signal.aborted).toBe(true);
  });

  it('does not renew what was released', async () => {
    const renew = vi.fn<Renew>(() => Promise.resolve(new Set<string>()));
    const { lease, pass, expired } = begin(renew);
    lease.release();
    await pass(60_000);
    expect(renew).not.toHaveBeenCalled();
    expect(expired).toEqual([]);
  });
});
