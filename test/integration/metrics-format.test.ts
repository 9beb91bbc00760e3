import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { metricCatalogue } from '../../src/host/metric-catalogue.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { canRun, directoryOf, prometheusPrograms } from '../support/required-programs.ts';

describe.skipIf(!canRun(prometheusPrograms()))('the metrics of a process', () => {
  it('pass promtool, those of the process itself included', async () => {
    const metrics = createMetrics(metricCatalogue, { processMetrics: true });
    metrics.increment('lease_expired_total', {});
    metrics.observe('queue_wait_seconds', { owner: 'platform', stage: 'answer' }, 1);
    const { body } = await metrics.render();
    expect(body).toContain('process_cpu_seconds_total');
    const promtool = join(directoryOf(prometheusPrograms()), 'promtool');
    const { status, stdout, stderr } = spawnSync(promtool, ['check', 'metrics'], {
      input: body,
      encoding: 'utf8',
    });
    expect(`${stdout}${stderr}`).toBe('');
    expect(status).toBe(0);
  });
});
