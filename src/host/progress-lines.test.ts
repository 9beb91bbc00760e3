import { expect, it } from 'vitest';
import { ManualClock } from '../kernel/manual-clock.ts';
import { metricCatalogue } from './metric-catalogue.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { progressLines } from './progress-lines.ts';

it('writes what this process did and spent, once for each change', async () => {
  const metrics = createMetrics(metricCatalogue);
  const clock = new ManualClock();
  const written: string[] = [];
  const loop = progressLines(metrics, clock, (line) => written.push(line));
  loop.start();
  metrics.increment('stage_messages_total', { owner: 'x', stage: 'summarise', outcome: 'success' }, 3);
  metrics.increment('stage_messages_total', { owner: 'x', stage: 'summarise', outcome: 'dead_lettered' });
  metrics.increment(
    'cost_usd_total',
    { owner: 'x', stage: 'summarise', provider: 'openai', model: 'gpt-5-mini' },
    0.00125,
  );
  const settled = async (): Promise<void> => {
    await expect.poll(() => clock.sleepers).toBeGreaterThan(0);
  };
  await settled();
  for (let turn = 0; turn < 2; turn += 1) {
    clock.advance(2000);
    await settled();
  }
  await loop.stop();
  expect(written).toEqual(['summarise 3 done, 1 dead-lettered | spent 0.001250 USD']);
});
