import { beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../kernel/manual-clock.ts';
import { abortGraceMs, orAbort } from './or-abort.ts';

const never = (): Promise<never> => new Promise(() => undefined);
const reason = new Error('the host stops');

describe('a handler whose signal is aborted', () => {
  let clock: ManualClock;
  beforeEach(() => {
    clock = new ManualClock();
  });

  /** What happens to it, once the time has passed. */
  async function after(work: Promise<unknown>, passMs: number): Promise<unknown> {
    const ended = work.catch((error: unknown) => error);
    clock.advance(passMs);
    await new Promise((resolve) => setImmediate(resolve));
    return Promise.race([ended, Promise.resolve('still waited for')]);
  }

  it('is waited for, and left behind when it does not come back in time', async () => {
    const stopped = new AbortController();
    const work = orAbort(never(), { signal: stopped.signal, leaving: new AbortController().signal, clock });
    stopped.abort(reason);
    expect(await after(work, abortGraceMs - 1)).toBe('still waited for');
    expect(await after(work, 1)).toBe(reason);
  });

  it('is left behind too when that was before anybody listened', async () => {
    const work = orAbort(never(), {
      signal: AbortSignal.abort(reason),
      leaving: new AbortController().signal,
      clock,
    });
    expect(await after(work, abortGraceMs)).toBe(reason);
  });

  it('is left behind at once when nobody waits any more', async () => {
    const stopped = new AbortController();
    const leaving = new AbortController();
    const first = orAbort(never(), { signal: stopped.signal, leaving: leaving.signal, clock });
    leaving.abort();
    expect(await after(first, 60_000)).toBe('still waited for');
    stopped.abort(reason);
    expect(await after(first, 0)).toBe(reason);
    expect(await after(orAbort(never(), { signal: stopped.signal, leaving: leaving.signal, clock }), 0)).toBe(
      reason,
    );
  });

  it('gives its answer when it comes back', async () => {
    const leaving = new AbortController().signal;
    expect(
      await orAbort(Promise.resolve('done'), { signal: AbortSignal.abort(reason), leaving, clock }),
    ).toBe('done');
    expect(clock.sleepers).toBe(0);
  });
});
