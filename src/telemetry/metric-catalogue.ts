import { budgetMetrics } from './catalogue/budget-metrics.ts';
import { ledgerMetrics } from './catalogue/ledger-metrics.ts';
import { modelMetrics } from './catalogue/model-metrics.ts';
import { pipelineMetrics } from './catalogue/pipeline-metrics.ts';
import { processMetrics } from './catalogue/process-metrics.ts';
import { usageMetrics } from './catalogue/usage-metrics.ts';
import type { MetricCatalogue } from './catalogue/metric-definition.ts';

/*
 * Every metric, as data: code, boards, alert rules and docs/metrics.md all read this one table. Names are
 * without the prefix. A label lists its only values, or is 'open': its values come from configuration or
 * providers and fold into `other` past a cap. A metric stands here only when something feeds it.
 */

export type { LabelValues, MetricCatalogue, MetricDefinition } from './catalogue/metric-definition.ts';

/** Stands before every name on /metrics. */
export const metricPrefix = 'millrace_';

/** Every metric by its name without the prefix. */
export const metricCatalogue = {
  ...processMetrics,
  ...pipelineMetrics,
  ...modelMetrics,
  ...budgetMetrics,
  ...ledgerMetrics,
  ...usageMetrics,
} as const satisfies MetricCatalogue;
