import { describe, expect, it } from 'vitest';
import { ManualClock } from '../kernel/manual-clock.ts';
import type { Logger } from '../telemetry/logger.ts';
import { metricCatalogue } from './metric-catalogue.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { silentLogger } from '../telemetry/silent-logger.ts';
import { backgroundJobMaker } from './job-runner.ts';

describe('a background job', () => {
  it('is told of in log and metrics while it fails, and has failed for no time once it succeeds', async () => {
    const clock = new ManualClock();
    const metrics = createMetrics(metricCatalogue);
    const lines: object[] = [];
    const logger: Logger = { ...silentLogger, error: (fields) => lines.push(fields) };
    const valueOf = async (name: string): Promise<string | undefined> =>
      new RegExp(`^millrace_${name}\\{background_job="sweep"\\} (\\S+)$`, 'm').exec(
        (await metrics.render()).body,
      )?.[1];
    let isPoisoned = true;
    let turns = 0;
    const loop = backgroundJobMaker({ clock, logger, metrics })('sweep', 1000, () => {
      turns += 1;
      return isPoisoned ? Promise.reject(new Error('poisoned')) : Promise.resolve(false);
    });
    const nextTurn = async (): Promise<void> => {
      const before = turns;
      clock.advance(1000);
      await expect.poll(() => turns).toBe(before + 1);
      await expect.poll(() => clock.sleepers).toBe(1);
    };
    expect(await valueOf('background_failures_total')).toBe('0');
    expect(await valueOf('background_failing_seconds')).toBe('0');

    loop.start();
    await expect.poll(() => clock.sleepers).toBe(1);
    expect(await valueOf('background_failing_seconds')).toBe('0');
    await nextTurn();
    await nextTurn();
    expect(await valueOf('background_failures_total')).toBe('3');
    expect(await valueOf('background_failing_seconds')).toBe('2');
    const line = { error: new Error('poisoned'), job: 'sweep', failingMs: 0, suppressed: 0 };
    expect(lines).toEqual([line]);
    for (let turn = 0; turn < 10; turn += 1) await nextTurn();
    // Once in ten seconds, with how many lines were left out.
    expect(lines).toEqual([line, { ...line, failingMs: 10_000, suppressed: 9 }]);

    isPoisoned = false;
    await nextTurn();
    expect(await valueOf('background_failures_total')).toBe('13');
    expect(await valueOf('background_failing_seconds')).toBe('0');
    await loop.stop();
  });
});
