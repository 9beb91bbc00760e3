import { describe, expect, it } from 'vitest';
import { ruleGroups } from '../../dashboards/alerts/rule-groups.ts';
import { defineMessage, defineStage } from '../../src/millrace.ts';
import type { RegisteredStage } from '../../src/engine/pipeline/stage-registry.ts';
import { metricCatalogue } from '../../src/host/metric-catalogue.ts';
import { initialiseSeries, startingSeries } from '../../src/host/starting-series.ts';
import type { MetricDefinition } from '../../src/telemetry/metric-definition.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { z } from 'zod';

/* Prometheus sees the increase of a series only from its second sample on: what alerts count is there before it happens. */

const Thing = defineMessage('thing.happened').version(1, z.object({}));
const definition = defineStage('work', { consumes: Thing.upTo(1), owner: 'crew' });
const stages = [{ definition, handler: { handle: () => undefined } } as RegisteredStage];
const counters = Object.entries<MetricDefinition>(metricCatalogue).filter(
  ([, { type }]) => type === 'counter',
);

/** Counters of alerts that are neither there from the start nor asked for as new ones, and why one increase more or less is nothing there. */
const excused: Readonly<Record<string, string>> = {
  llm_requests_total: 'a share of many requests; the first of a model is none of them',
};

describe('the first increase of a counter', () => {
  it('is seen by every alert that counts it', () => {
    const counted = new Set<string>();
    for (const { alert, expr } of ruleGroups().flatMap(({ alerts }) => alerts)) {
      for (const [, name = ''] of expr.matchAll(/(?:increase|rate)\(millrace_(\w+_total)/g)) {
        counted.add(name);
        const known = counters.find(([one]) => one === name);
        const isThere = known !== undefined && startingSeries(known[1], stages).length > 0;
        const isAskedForAsNew = new RegExp(`unless millrace_${name}(\\{[^}]*\\})? offset`).test(expr);
        expect(isThere || isAskedForAsNew || name in excused, `${alert}: ${name}`).toBe(true);
      }
    }
    expect(counted.size).toBeGreaterThan(5);
    expect(Object.keys(excused).filter((name) => !counted.has(name))).toEqual([]);
  });

  it('is that of a series which is there at 0 when the host has started, wherever its labels are known', async () => {
    const metrics = createMetrics(metricCatalogue);
    initialiseSeries(metrics, { version: '1', roles: ['worker'], stages, catalogue: metricCatalogue });
    const { body } = await metrics.render();
    for (const [name, { labels }] of counters) {
      const isKnown = Object.entries(labels).every(
        ([label, values]) => values !== 'open' || ['owner', 'stage'].includes(label),
      );
      if (isKnown) expect(body).toMatch(new RegExp(`^millrace_${name}(\\{.*\\})? 0$`, 'm'));
    }
    for (const series of [
      'export_batches_total{table="usage",result="failed"} 0',
      'stage_retries_total{owner="crew",stage="work",reason="timeout"} 0',
      'messages_parked_total{owner="crew",stage="work",reason="rate_limit"} 0',
      'ledger_reduced_writes_total{operation="settle"} 0',
      'step_diverged_total{stage="work"} 0',
      'dead_letter_actions_total{owner="crew",stage="work",action="replayed"} 0',
    ])
      expect(body).toContain(`millrace_${series}\n`);
  });
});
