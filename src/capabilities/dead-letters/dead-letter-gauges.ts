import { oldestOf, sumOf } from '../../engine/ledger/ledger-counts.ts';
import type { RegisteredStage } from '../../engine/pipeline/stage-registry.ts';
import type { GaugeReading } from '../capability.ts';
import type { DeadLetterMetrics } from './dead-letter-metrics.ts';

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
