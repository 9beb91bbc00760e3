import { ofStage } from '../../telemetry/common-labels.ts';
import type { EngineCatalogue } from '../../engine/metrics/engine-metrics.ts';
import type { MetricCatalogue } from '../../telemetry/metric-definition.ts';
import type { Metrics } from '../../telemetry/metrics.ts';

/** Fed by the watcher of every process. */
export const pauseMetrics = {
  stage_paused: {
    type: 'gauge',
    unit: 'state',
    labels: ofStage,
    help: 'Is 1 while an operator has paused the stage, or everything; aggregate with max.',
  },
  pauses_active: {
    type: 'gauge',
    unit: 'pauses',
    labels: { scope: ['all', 'stage', 'model', 'provider', 'team', 'customer', 'feature', 'batch'] },
    help: 'Pauses in force, by what they stop; every process reports the same, so aggregate with max.',
  },
  pause_age_seconds: {
    type: 'gauge',
    unit: 'seconds',
    labels: {},
    help: 'How long the oldest pause has stood; 0 when there is none.',
  },
} as const satisfies MetricCatalogue;

/** What this capability reports to: its own metrics beside those of the engine. */
export type PauseMetrics = Metrics<EngineCatalogue & typeof pauseMetrics>;
