import type { LimitMetrics } from './limit-metrics.ts';
import type { RetryBudgetSettings } from './model-health-store.ts';
import type { WatchedModel } from './watched-model.ts';

/** Puts what is known about the models into gauges. Every process shows the same. */
export function showHealth(
  metrics: LimitMetrics | undefined,
  models: readonly WatchedModel[],
  retryBudget: RetryBudgetSettings | undefined,
): void {
  if (metrics === undefined) return;
  for (const { provider, model, circuit, firsts, retries } of models) {
    for (const state of ['closed', 'half_open', 'open'] as const) {
      metrics.set('llm_circuit_state', { provider, model, state }, circuit.state === state ? 1 : 0);
    }
    if (retryBudget === undefined) continue;
    const limit = Math.floor(retryBudget.floor + retryBudget.share * firsts);
    metrics.set('llm_retry_budget_used_ratio', { provider, model }, limit === 0 ? 1 : retries / limit);
  }
}
