import { afterEach, describe, expect, it, vi } from 'vitest';
import { AppError } from '../../kernel/app-error.ts';
import { ManualClock } from '../../kernel/manual-clock.ts';
import type { Held } from '../ledger/message-ledger.ts';
import { silentLogger } from '../../telemetry/silent-logger.ts';
import { LeaseKeeper } from './lease-keeper.ts';

type Renew = (held: readonly Held[]) => Promise<ReadonlySet<string>>;

const leaseMs = 15_000;

describe('LeaseKeeper', () => {
  const keepers: LeaseKeeper[] = [];

  afterEach(async () => {
    for (const keeper of keepers.splice(0)) await keeper.close();
  });

  function begin(renew: (held: readonly Held[]) => Promise<ReadonlySet<string>>) {
    const clock = new ManualClock();
    const lost: string[] = [];
    const keeper = new LeaseKeeper({
      clock,
      renew,
      logger: silentLogger,
      onLost: (stage) => lost.push(stage),
      tickMs: 100,
    });
    keepers.push(keeper);
    const held = keeper.hold({
      id: 'm1',
      fence: 3,
      leaseMs,
      stage: 'first',
      origin: { team: 'blue', customer: 'acme', feature: 'search' },
      askedAtMs: clock.monotonicMs(),
    });
    const pass = async (ms: number): Promise<void> => {
      clock.advance(ms);
      await new Promise((resolve) => setImmediate(resolve));
    };
    return { held, lost, pass, keeper, clock };
  }

  it('renews from a third of the length on, and keeps the lease as long as that succeeds', async () => {
    const renew = vi.fn<Renew>((due: readonly Held[]) => Promise.resolve(new Set(due.map((one) => one.id))));
    const { held, pass } = begin(renew);
    await pass(4000);
    expect(renew).not.toHaveBeenCalled();
    for (let turn = 0; turn < 10; turn += 1) await pass(6000);
    expect(renew.mock.calls.length).toBeGreaterThanOrEqual(9);
    expect(renew.mock.calls[0]?.[0]).toMatchObject([{ id: 'm1', fence: 3, leaseMs }]);
    expect(held.signal.aborted).toBe(false);
  });

  it('aborts work whose message this process was given again: its lease had ended', async () => {
    const { held, lost, pass, keeper, clock } = begin((due) =>
      Promise.resolve(new Set(due.map((one) => one.id))),
    );
    const again = keeper.hold({
      id: 'm1',
      fence: 4,
      leaseMs,
      stage: 'first',
      origin: { team: 'blue', customer: 'acme', feature: 'search' },
      askedAtMs: clock.monotonicMs(),
    });
    expect(held.isLost()).toBe(true);
    expect(held.signal.reason).toMatchObject({ code: 'MILLRACE_LEASE_LOST' });
    expect(lost).toEqual(['first']);
    held.release();
    expect(keeper.size).toBe(1);
    await pass(6000);
    expect(again.isLost()).toBe(false);
  });

  it('aborts the work before the lease can pass on when no renewal comes back', async () => {
    const { promise: never, resolve: answer } = Promise.withResolvers<ReadonlySet<string>>();
    const { held, lost, pass } = begin(() => never);
    await pass(12_900);
    expect(held.signal.aborted).toBe(false);
    await pass(200);
    expect(held.signal.aborted).toBe(true);
    expect(held.signal.reason).toMatchObject({ code: 'MILLRACE_LEASE_LOST' });
    expect(held.isLost()).toBe(true);
    expect(lost).toEqual(['first']);
    answer(new Set(['m1']));
    await pass(100);
    expect(held.isLost()).toBe(true);
  });

  it('goes on through renewals that fail, until the deadline', async () => {
    const renew = vi.fn<Renew>(() => Promise.reject(new AppError('MILLRACE_DATABASE_UNAVAILABLE', 'away')));
    const { held, pass } = begin(renew);
    await pass(6000);
    await pass(3000);
    expect(renew.mock.calls.length).toBeGreaterThanOrEqual(2);
    expect(held.signal.aborted).toBe(false);
    await pass(5000);
    expect(held.signal.aborted).toBe(true);
  });

  it('aborts at once when the lease has passed on', async () => {
    const { held, pass } = begin(() => Promise.resolve(new Set<string>()));
    await pass(6000);
    expect(held.signal.aborted).toBe(true);
  });

  it('does not renew what was released', async () => {
    const renew = vi.fn<Renew>(() => Promise.resolve(new Set<string>()));
    const { held, pass, lost } = begin(renew);
    held.release();
    await pass(60_000);
    expect(renew).not.toHaveBeenCalled();
    expect(lost).toEqual([]);
  });
});
