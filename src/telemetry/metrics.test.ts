import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MetricCatalogue } from './metric-definition.ts';
import { createMetrics, openMetricsRegistry } from './metrics.ts';

const small = {
  metric_labels_folded_total: {
    type: 'counter',
    unit: 'updates',
    labels: { label: 'open' },
    help: 'Folded.',
  },
  metric_series: { type: 'gauge', unit: 'series', labels: {}, help: 'Series.' },
  calls_total: {
    type: 'counter',
    unit: 'calls',
    labels: { model: 'open', outcome: ['ok', 'error'] },
    help: 'Calls.',
  },
  depth: { type: 'gauge', unit: 'messages', labels: { stage: 'open' }, help: 'Depth.' },
  wait_seconds: {
    type: 'histogram',
    hasExemplars: true,
    unit: 'seconds',
    labels: { stage: 'open' },
    help: 'Wait.',
    buckets: [0.1, 1],
  },
} as const satisfies MetricCatalogue;

/** The value of one line of an exposition, by the text before its value. */
function valueOf(body: string, series: string): number | undefined {
  const line = body.split('\n').find((candidate) => candidate.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

describe('metrics', () => {
  it('count, set and observe under the prefixed name', async () => {
    const metrics = createMetrics(small);
    metrics.increment('calls_total', { model: 'm', outcome: 'ok' });
    metrics.increment('calls_total', { model: 'm', outcome: 'ok' }, 2.5);
    metrics.set('depth', { stage: 's' }, 7);
    metrics.set('depth', { stage: 's' }, 4);
    metrics.observe('wait_seconds', { stage: 's' }, 0.5);
    metrics.observe('wait_seconds', { stage: 's' }, 5);
    const { body, contentType } = await metrics.render();
    expect(contentType).toContain('text/plain');
    expect(valueOf(body, 'millrace_calls_total{model="m",outcome="ok"}')).toBe(3.5);
    expect(valueOf(body, 'millrace_depth{stage="s"}')).toBe(4);
    expect(valueOf(body, 'millrace_wait_seconds_bucket{le="1",stage="s"}')).toBe(1);
    expect(valueOf(body, 'millrace_wait_seconds_count{stage="s"}')).toBe(2);
    expect(valueOf(body, 'millrace_wait_seconds_sum{stage="s"}')).toBe(5.5);
  });

  it('are brought up to date before they are shown, until that is taken back', async () => {
    const metrics = createMetrics(small);
    let depth = 0;
    const detach = metrics.beforeRender(async () => {
      await Promise.resolve();
      metrics.set('depth', { stage: 's' }, (depth += 1));
    });
    expect((await metrics.render()).body).toContain('millrace_depth{stage="s"} 1');
    detach();
    expect((await metrics.render()).body).toContain('millrace_depth{stage="s"} 1');
  });

  it('replace the series of a gauge by others, which do not fold, and forget those that are gone', async () => {
    const metrics = createMetrics(small, { openLabelCap: 2, seriesCap: 4 });
    const stages = (...names: string[]) =>
      names.map((stage, index) => ({ labels: { stage }, value: index + 1 }));
    metrics.replace('depth', stages('a', 'b', 'c'));
    metrics.replace('depth', stages('c', 'd'));
    const { body } = await metrics.render();
    expect(body.match(/^millrace_depth\{.*$/gm)).toEqual([
      'millrace_depth{stage="c"} 1',
      'millrace_depth{stage="d"} 2',
    ]);
    metrics.replace('depth', []);
    expect((await metrics.render()).body).not.toContain('millrace_depth{');
    expect(metrics.seriesCount()).toBe(1);
    // One series is the count itself: three more fit.
    metrics.replace('depth', stages('a', 'b', 'c', 'd', 'e'));
    expect((await metrics.render()).body.match(/^millrace_depth\{/gm)).toHaveLength(3);
    expect(() => metrics.replace('depth', stages(...Array.from({ length: 101 }, String)))).toThrow(/at most/);
  });

  it('go on counting after a scrape without losing or repeating', async () => {
    const metrics = createMetrics(small);
    for (let round = 1; round <= 3; round += 1) {
      metrics.increment('calls_total', { model: 'm', outcome: 'ok' });
      const { body } = await metrics.render();
      expect(valueOf(body, 'millrace_calls_total{model="m",outcome="ok"}')).toBe(round);
    }
  });

  it('show initialised series at 0 and leave counted ones as they are', async () => {
    const metrics = createMetrics(small);
    metrics.increment('calls_total', { model: 'm', outcome: 'ok' }, 3);
    metrics.observe('wait_seconds', { stage: 's' }, 0.01);
    metrics.initialise('calls_total', [
      { model: 'm', outcome: 'ok' },
      { model: 'm', outcome: 'error' },
    ]);
    metrics.initialise('wait_seconds', [{ stage: 's' }, { stage: 't' }]);
    const { body } = await metrics.render();
    expect(valueOf(body, 'millrace_calls_total{model="m",outcome="ok"}')).toBe(3);
    expect(valueOf(body, 'millrace_calls_total{model="m",outcome="error"}')).toBe(0);
    expect(valueOf(body, 'millrace_wait_seconds_count{stage="s"}')).toBe(1);
    expect(valueOf(body, 'millrace_wait_seconds_count{stage="t"}')).toBe(0);
  });

  it('fold models past their cap into other, and count what folded', async () => {
    const metrics = createMetrics(small, { modelCap: 2 });
    for (const model of ['a', 'b', 'c', 'd', 'a', 'c']) {
      metrics.increment('calls_total', { model, outcome: 'ok' });
    }
    const { body } = await metrics.render();
    expect(valueOf(body, 'millrace_calls_total{model="a",outcome="ok"}')).toBe(2);
    expect(valueOf(body, 'millrace_calls_total{model="b",outcome="ok"}')).toBe(1);
    expect(valueOf(body, 'millrace_calls_total{model="other",outcome="ok"}')).toBe(3);
    expect(valueOf(body, 'millrace_calls_total{model="c",outcome="ok"}')).toBeUndefined();
    expect(valueOf(body, 'millrace_metric_labels_folded_total{label="model"}')).toBe(3);
  });

  it('never lose a count and never pass the series cap by more than the folded ones', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat({ max: 60 }), fc.constantFrom('ok' as const, 'error' as const)), {
          maxLength: 200,
        }),
        async (updates) => {
          const metrics = createMetrics(small, { modelCap: 100, seriesCap: 20 });
          for (const [model, outcome] of updates) {
            metrics.increment('calls_total', { model: `m${model}`, outcome });
          }
          const { body } = await metrics.render();
          const counted = [...body.matchAll(/^millrace_calls_total\{.*\} (\d+)$/gm)];
          expect(counted.reduce((sum, line) => sum + Number(line[1]), 0)).toBe(updates.length);
          // Past the cap: one folded set for each outcome, the counter of folding and the gauge of series.
          expect(metrics.seriesCount()).toBeLessThanOrEqual(20 + 4);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('count the lines of a histogram singly', () => {
    const metrics = createMetrics(small);
    metrics.observe('wait_seconds', { stage: 's' }, 1);
    expect(metrics.seriesCount()).toBe(5);
  });

  it('fail an invariant on misuse', () => {
    const metrics = createMetrics(small);
    const labels = { model: 'm', outcome: 'ok' } as const;
    expect(() => metrics.increment('calls_total', labels, -1)).toThrow('Invariant broken');
    expect(() => metrics.increment('calls_total', labels, Number.NaN)).toThrow('Invariant broken');
    expect(() => metrics.set('depth', { stage: 's' }, Infinity)).toThrow('Invariant broken');
    expect(() => metrics.observe('wait_seconds', { stage: 's' }, Number.NaN)).toThrow('Invariant broken');
    expect(() => metrics.increment('calls_total', { model: 'm', outcome: 'odd' as 'ok' })).toThrow(
      '"odd" is a outcome of calls_total',
    );
    expect(() => metrics.set('depth', { stage: 'a\u0000b' }, 1)).toThrow('Invariant broken');
    expect(() => metrics.increment('depth' as 'calls_total', labels)).toThrow('Invariant broken');
    expect(() => metrics.increment('nothing' as 'calls_total', labels)).toThrow('Invariant broken');
  });

  it('keep the trace of the slow ones, and of the quick ones now and then, for those who ask for OpenMetrics', async () => {
    const metrics = createMetrics(small);
    const trace = (n: number): string => n.toString(16).padStart(32, '0');
    for (let n = 1; n <= 20; n += 1) metrics.observe('wait_seconds', { stage: 's' }, 0.05, trace(n));
    metrics.observe('wait_seconds', { stage: 's' }, 0.5, trace(100));
    metrics.observe('wait_seconds', { stage: 's' }, 0.5);
    metrics.observe('wait_seconds', { stage: 's' }, 7, trace(101));
    const { body, contentType } = await metrics.render('openmetrics');
    expect(contentType).toContain('application/openmetrics-text');
    expect(body.endsWith('# EOF\n')).toBe(true);
    const buckets = [...body.matchAll(/_bucket\{le="(.+?)",stage="s"\} (\d+) # \{trace_id="(\w+)"\} (\S+)/g)];
    expect(buckets.map(([, le, count, traceId, value]) => [le, count, traceId, value])).toEqual([
      ['0.1', '20', trace(17), '0.05'],
      ['1', '22', trace(100), '0.5'],
      ['+Inf', '23', trace(101), '7'],
    ]);
    const classic = (await metrics.render()).body;
    expect(classic).not.toContain('trace_id');
    expect(valueOf(classic, 'millrace_wait_seconds_bucket{le="+Inf",stage="s"}')).toBe(23);
  });

  it('name counters as each format wants, however often each is asked for', async () => {
    const metrics = createMetrics(small);
    metrics.increment('calls_total', { model: 'm', outcome: 'ok' }, 2);
    for (let round = 0; round < 2; round += 1) {
      const { body: classic } = await metrics.render();
      expect(classic).toContain('# TYPE millrace_calls_total counter\n');
      expect(valueOf(classic, 'millrace_calls_total{model="m",outcome="ok"}')).toBe(2);
      const { body } = await metrics.render('openmetrics');
      expect(body).toContain('# TYPE millrace_calls counter\n');
      expect(valueOf(body, 'millrace_calls_total{model="m",outcome="ok"}')).toBe(2);
    }
  });

  it('fold stages where they are counted by model, too, before anything else', async () => {
    const pairs = {
      ...small,
      cost_total: {
        type: 'counter',
        unit: 'dollars',
        labels: { owner: 'open', stage: 'open', model: 'open' },
        help: 'Cost.',
      },
    } as const satisfies MetricCatalogue;
    const metrics = createMetrics(pairs, { seriesCap: 100 });
    for (let n = 0; n < 10; n += 1)
      for (let m = 0; m < 10; m += 1)
        metrics.increment('cost_total', { owner: 'o', stage: `s${n}`, model: `m${m}` });
    for (let n = 0; n < 10; n += 1) metrics.set('depth', { stage: `s${n}` }, n);
    const { body } = await metrics.render();
    expect(valueOf(body, 'millrace_cost_total{owner="o",stage="s0",model="m9"}')).toBe(1);
    expect(valueOf(body, 'millrace_cost_total{owner="other",stage="other",model="m9"}')).toBeGreaterThan(1);
    expect(valueOf(body, 'millrace_depth{stage="s9"}')).toBe(9);
    const counted = [...body.matchAll(/^millrace_cost_total\{.*\} (\d+)$/gm)];
    expect(counted.reduce((sum, line) => sum + Number(line[1]), 0)).toBe(100);
  });

  it('refuse a second registration in one registry', () => {
    const registry = openMetricsRegistry();
    createMetrics(small, { registry });
    expect(() => createMetrics(small, { registry })).toThrow('registered once');
  });

  it('check names and labels when compiled', () => {
    const metrics = createMetrics(small);
    // @ts-expect-error -- a histogram is not incremented
    expect(() => metrics.increment('wait_seconds', { stage: 's' })).toThrow('Invariant broken');
    // @ts-expect-error -- a label is missing
    expect(() => metrics.increment('calls_total', { model: 'm' })).toThrow('Invariant broken');
    // @ts-expect-error -- not a value of the closed label
    expect(() => metrics.increment('calls_total', { model: 'm', outcome: 'fine' })).toThrow(
      'Invariant broken',
    );
    // @ts-expect-error -- one label too many
    expect(() => metrics.set('depth', { stage: 's', team: 't' }, 1)).toThrow('Invariant broken');
  });
});
