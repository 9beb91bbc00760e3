import { execFile, spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import type { MetricDefinition } from '../telemetry/metric-definition.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { metricCatalogue } from './metric-catalogue.ts';

describe('the metric catalogue', () => {
  const definitions = Object.entries<MetricDefinition>(metricCatalogue);

  it.each(definitions)('%s follows the naming rules', (name, metric) => {
    expect(name).toMatch(/^[a-z][a-z0-9_]*$/);
    expect(name.endsWith('_total')).toBe(metric.type === 'counter');
    expect(metric.help).toMatch(/^[A-Z].*\.$/);
    if (metric.unit === 'seconds') expect(name).toMatch(/_seconds$/);
    for (const label of Object.keys(metric.labels)) {
      expect(label).toMatch(/^[a-z][a-z_]*$/);
      // Budgets are as many as are configured, and each belongs to the team that pays.
      if (label === 'team' && name.startsWith('budget_')) continue;
      expect(['customer', 'feature', 'batch', 'message', 'team', 'le']).not.toContain(label);
    }
    if (metric.type === 'histogram') {
      expect(metric.buckets).toEqual(metric.buckets.toSorted((left, right) => left - right));
      expect(new Set(metric.buckets).size).toBe(metric.buckets.length);
    }
  });

  const promtool = spawnSync('promtool', ['--version']).status === 0;

  it.skipIf(!promtool)(
    'passes promtool check metrics (skipped where promtool is not installed)',
    async () => {
      const metrics = createMetrics(metricCatalogue, { processMetrics: true });
      for (const [name, metric] of definitions) {
        const labels = Object.fromEntries(
          Object.entries(metric.labels).map(([label, values]) => [
            label,
            values === 'open' ? 'x' : values[0],
          ]),
        );
        metrics.initialise(name as keyof typeof metricCatalogue, [labels] as never);
      }
      const { body } = await metrics.render();
      for (const [name] of definitions) expect(body).toContain(`millrace_${name}`);
      expect(body).toContain('nodejs_eventloop_lag_seconds');
      expect(await promtoolComplaints(body)).toBe('');
    },
  );
});

/** What promtool says about our own metrics; prom-client's names are not ours to change. */
async function promtoolComplaints(body: string): Promise<string> {
  const output = await new Promise<string>((resolve, reject) => {
    const child = execFile('promtool', ['check', 'metrics'], (error, stdout, stderr) => {
      // Exit code 3 means that there were complaints.
      if (error !== null && error.code !== 3) reject(new Error(stderr, { cause: error }));
      else resolve(stdout + stderr);
    });
    child.stdin?.end(body);
  });
  return output
    .split('\n')
    .filter((line) => line.startsWith('millrace_') || line.includes('error while'))
    .join('\n');
}
