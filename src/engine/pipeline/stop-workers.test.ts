import { describe, expect, it } from 'vitest';
import { recordingLogger } from '../../../test/support/recording-logger.ts';
import { ManualClock } from '../../kernel/manual-clock.ts';
import { stopWorkers } from './stop-workers.ts';

/** The end of workers that end when the test says so. */
function begin(graceMs: number) {
  const clock = new ManualClock();
  const { logger, lines } = recordingLogger();
  const seen: string[] = [];
  const worker = Promise.withResolvers<undefined>();
  const stopping = stopWorkers({
    workers: [{ stop: () => Promise.resolve() }, { stop: () => worker.promise.then(() => undefined) }],
    runner: {
      beginStop: () => void seen.push('nothing begins'),
      leaveHandlers: () => void seen.push('handlers are left'),
    },
    renewer: {
      abortAll: ({ message }) => void seen.push(message),
      all: () => [{ id: 'one', fencingToken: 1, leaseMs: 1 }],
    },
    graceMs,
    clock,
    logger,
  }).then(() => void seen.push('stopped'));
  const pass = async (byMs: number): Promise<readonly string[]> => {
    clock.advance(byMs);
    await new Promise((resolve) => setImmediate(resolve));
    return seen.splice(0);
  };
  return { clock, lines, pass, stopping, end: () => worker.resolve(undefined) };
}

const told = 'The host stops and the grace time is over';

describe('the end of the workers', () => {
  it('waits no longer than the grace for handlers, and a second more for the ledger', async () => {
    const { pass, stopping, lines, clock } = begin(20_000);
    expect(await pass(14_999)).toEqual(['nothing begins']);
    expect(await pass(1)).toEqual([told]);
    expect(await pass(4999)).toEqual([]);
    expect(await pass(1)).toEqual(['handlers are left']);
    expect(await pass(999)).toEqual([]);
    expect(await pass(1)).toEqual(['stopped']);
    await stopping;
    expect(lines).toEqual([
      expect.objectContaining({ level: 'warn', fields: { graceMs: 20_000, messages: ['one'] } }),
    ]);
    expect(clock.sleepers).toBe(0);
  });

  it('is over with the last worker, whenever that is', async () => {
    for (const afterMs of [0, 14_999, 15_000, 20_500]) {
      const { pass, end, lines, clock, stopping } = begin(20_000);
      await pass(Math.min(afterMs, 15_000));
      await pass(Math.max(0, Math.min(afterMs, 20_000) - 15_000));
      await pass(Math.max(0, afterMs - 20_000));
      end();
      await stopping;
      expect(lines).toEqual([]);
      expect(clock.sleepers).toBe(0);
    }
  });

  it('tells handlers in the last quarter of a short grace, and at once without one', async () => {
    const short = begin(400);
    expect(await short.pass(299)).toEqual(['nothing begins']);
    expect(await short.pass(1)).toEqual([told]);
    expect(await short.pass(100)).toEqual(['handlers are left']);
    short.end();
    await short.stopping;
    const none = begin(0);
    none.clock.advance(0);
    expect(await none.pass(0)).toContain(told);
    expect(await none.pass(0)).toEqual(['handlers are left']);
    none.end();
    await none.stopping;
  });
});
