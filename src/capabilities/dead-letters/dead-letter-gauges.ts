import { oldestOf, sumOf } from '../../engine/ledger/ledger-counts.ts';
import type { RegisteredStage } from '../../engine/pipeline/stage-registry.ts';
import type { GaugeReading } from '../capability.ts';
import { deadLetterMetrics, type DeadLetterMetrics } from './dead-letter-metrics.ts';

/** Makes the series of what operators do. */
export function startDeadLetterSeries(metrics: DeadLetterMetrics, stages: readonly RegisteredStage[]): void {
  for (const action of deadLetterMetrics.dead_letter_actions_total.labels.action) {
    metrics.initialise(
      'dead_letter_actions_total',
      stages.map((stage) => ({ ...labelsOf(stage), action })),
    );
  }
}

/** Shows how many dead letters there are, and since when. */
export function showDeadLetters(metrics: DeadLetterMetrics, { counts, stages }: GaugeReading): void {
  for (const stage of stages) {
    const labels = labelsOf(stage);
    const dead = counts.filter((count) => count.kind === 'dead' && count.stage === labels.stage);
    metrics.set('dead_letters', labels, sumOf(dead));
    metrics.set('dead_letters_oldest_age_seconds', labels, oldestOf(dead));
  }
}

function labelsOf({ definition }: RegisteredStage): { readonly owner: string; readonly stage: string } {
  return { owner: definition.owner, stage: definition.name };
}
