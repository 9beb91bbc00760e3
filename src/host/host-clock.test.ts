import { describe, expect, it } from 'vitest';
import { recordingLogger } from '../../test/support/recording-logger.ts';
import type { SqlDatabase } from '../drivers/sql-database/sql-database.ts';
import { AppError } from '../kernel/app-error.ts';
import { BackgroundJob } from '../kernel/background-job.ts';
import { ManualClock } from '../kernel/manual-clock.ts';
import { metricCatalogue } from './metric-catalogue.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { HostClock } from './host-clock.ts';

/** A machine and a ledger, each with a clock that can be set. */
async function begin(isEmbedded = false) {
  const time = new ManualClock();
  const setByMs = { process: 0, ledger: 0 };
  let isAway = false;
  const own = {
    now: () => new Date(time.now().getTime() + setByMs.process),
    monotonicMs: () => time.monotonicMs(),
    sleep: (delayMs: number, signal?: AbortSignal) => time.sleep(delayMs, signal),
    startTimer: (delayMs: number, act: () => void) => time.startTimer(delayMs, act),
  };
  const query = () =>
    isAway
      ? Promise.reject(new AppError('MILLRACE_DATABASE_UNAVAILABLE', 'The ledger is away.'))
      : Promise.resolve({ rows: [{ time_ms: time.now().getTime() + setByMs.ledger }], affected: 1 });
  const { logger, lines } = recordingLogger();
  const metrics = createMetrics(metricCatalogue);
  const clock = await HostClock.begin({
    own,
    database: { query } as unknown as SqlDatabase,
    isEmbedded,
    metrics,
    logger,
  });
  let look: ((signal: AbortSignal) => Promise<boolean>) | undefined;
  clock.loop((_name, intervalMs, turn) => {
    look = turn;
    return new BackgroundJob({ clock: own, intervalMs, turn, onTurnEnd: () => undefined });
  });
  return {
    clock,
    time,
    setByMs,
    lines,
    setAway: (away: boolean) => (isAway = away),
    /** A second later. */
    look: async (): Promise<void> => {
      time.advance(1000);
      await look?.(new AbortController().signal);
    },
    metric: async (series: string): Promise<number> => {
      const { body } = await metrics.render();
      return Number(
        body
          .split('\n')
          .find((line) => line.startsWith(`${series} `))
          ?.split(' ')
          .at(-1),
      );
    },
    jumps: () => lines.filter(({ fields }) => 'jumpMs' in fields).map(({ fields }) => fields),
  };
}

const hourMs = 3_600_000;

describe('the clock of a host', () => {
  it('says nothing while both clocks go on together', async () => {
    const { look, lines, metric } = await begin();
    for (let n = 0; n < 5; n += 1) await look();
    expect(lines).toEqual([]);
    expect(await metric('millrace_clock_offset_seconds')).toBe(0);
    expect(await metric('millrace_clock_jumps_total{clock="process"}')).toBe(0);
  });

  it("follows the ledger's clock when that is set, and says which it was", async () => {
    const { clock, time, setByMs, look, jumps, metric } = await begin();
    setByMs.ledger = -hourMs;
    await look();
    expect(clock.time.now().getTime()).toBe(time.now().getTime() - hourMs);
    expect(jumps()).toEqual([{ clock: 'ledger', jumpMs: -hourMs, isEmbedded: false }]);
    expect(await metric('millrace_clock_jumps_total{clock="ledger"}')).toBe(1);
    expect(await metric('millrace_clock_offset_seconds')).toBe(-hourMs / 1000);
    await expect(clock.check()).rejects.toMatchObject({ code: 'MILLRACE_CLOCK_OFF' });
  });

  it('notices that its own clock was set while the ledger is away, and keeps the time', async () => {
    const { clock, time, setByMs, setAway, look, jumps, metric } = await begin();
    setAway(true);
    setByMs.process = hourMs;
    await expect(look()).rejects.toMatchObject({ code: 'MILLRACE_DATABASE_UNAVAILABLE' });
    expect(clock.time.now()).toEqual(time.now());
    expect(jumps()).toEqual([{ clock: 'process', jumpMs: hourMs, isEmbedded: false }]);
    expect(await metric('millrace_clock_offset_seconds')).toBe(-hourMs / 1000);
    // Once is said once.
    setAway(false);
    await look();
    expect(jumps()).toHaveLength(1);
  });

  it('says it when a clock drifts away without a jump, and when it is right again', async () => {
    const { setByMs, look, lines, jumps } = await begin();
    for (let n = 1; n <= 6; n += 1) {
      setByMs.process = n * 400;
      await look();
    }
    expect(jumps()).toEqual([]);
    expect(lines).toEqual([expect.objectContaining({ level: 'warn', fields: { offsetMs: -2400 } })]);
    for (let n = 5; n >= 0; n -= 1) {
      setByMs.process = n * 400;
      await look();
    }
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatchObject({ level: 'info' });
  });

  it('with an embedded ledger goes by the clock that both share, and counts its jumps', async () => {
    const { clock, time, setByMs, look, jumps, metric } = await begin(true);
    setByMs.process = hourMs;
    await look();
    expect(clock.time.now().getTime()).toBe(time.now().getTime() + hourMs);
    expect(jumps()).toEqual([{ clock: 'process', jumpMs: hourMs, isEmbedded: true }]);
    expect(await metric('millrace_clock_jumps_total{clock="process"}')).toBe(1);
    expect(await metric('millrace_clock_offset_seconds')).toBe(0);
    await expect(clock.check()).resolves.toBeUndefined();
  });
});
