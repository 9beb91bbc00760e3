import { ofStage } from '../../telemetry/common-labels.ts';
import type { EngineCatalogue } from '../../engine/metrics/engine-metrics.ts';
import type { MetricCatalogue } from '../../telemetry/metric-definition.ts';
import type { Metrics } from '../../telemetry/metrics.ts';

/** Fed by operators and by the counts of the ledger; what is given up on is counted by the engine. */
export const deadLetterMetrics = {
  dead_letter_actions_total: {
    type: 'counter',
    unit: 'messages',
    labels: { ...ofStage, action: ['replayed', 'discarded'] },
    help: 'Dead letters that operators replayed or discarded through this process; the audit has all of them.',
  },
  dead_letters: {
    type: 'gauge',
    unit: 'messages',
    labels: ofStage,
    help: 'Dead letters that are neither replayed nor discarded; aggregate with max.',
  },
  dead_letters_oldest_age_seconds: {
    type: 'gauge',
    unit: 'seconds',
    labels: ofStage,
    help: 'Age of the oldest dead letter that is not discarded; 0 when there is none.',
  },
} as const satisfies MetricCatalogue;

/** What this capability reports to: its own metrics beside those of the engine. */
export type DeadLetterMetrics = Metrics<EngineCatalogue & typeof deadLetterMetrics>;
