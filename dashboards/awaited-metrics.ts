import type { MetricCatalogue } from '../src/telemetry/metric-catalogue.ts';

const ofStage = { owner: 'open', stage: 'open' } as const;
const ofModel = { provider: 'open', model: 'open' } as const;
const gauge = { type: 'gauge', unit: '1', help: '' } as const;
const counter = { type: 'counter', unit: '1', help: '' } as const;

/** Metrics that boards show and that the catalogue does not have yet. A panel of one of them is not verified. */
export const awaitedMetrics = {
  stage_backlog: {
    ...gauge,
    labels: { ...ofStage, lane: 'open', state: ['ready', 'delayed', 'parked', 'leased'] },
  },
  stage_backlog_seconds: { ...gauge, labels: ofStage },
  stage_drain_slo_seconds: { ...gauge, labels: ofStage },
  stage_paused: { ...gauge, labels: ofStage },
  holds_active: { ...gauge, labels: { scope: 'open' } },
  hold_age_seconds: { ...gauge, labels: {} },
  llm_circuit_state: { ...gauge, labels: { ...ofModel, state: ['closed', 'half_open', 'open'] } },
  llm_fallbacks_total: { ...counter, labels: { from_model: 'open', to_model: 'open' } },
  llm_retry_budget_used_ratio: { ...gauge, labels: ofModel },
  llm_limit_per_minute: { ...gauge, labels: { ...ofModel, kind: ['requests', 'tokens'] } },
  llm_limit_remaining: { ...gauge, labels: { ...ofModel, kind: ['requests', 'tokens'] } },
  llm_limit_wait_seconds: { type: 'histogram', unit: '1', help: '', buckets: [1], labels: ofModel },
  budget_spent_usd: { ...gauge, labels: { team: 'open', budget: 'open' } },
  budget_reserved_usd: { ...gauge, labels: { team: 'open', budget: 'open' } },
  budget_limit_usd: { ...gauge, labels: { team: 'open', budget: 'open' } },
  budget_refusals_total: { ...counter, labels: { budget: 'open', action: ['parked', 'refused'] } },
  bound_used_ratio: { ...gauge, labels: { bound: 'open' } },
  calls_unsettled_oldest_seconds: { ...gauge, labels: {} },
  event_loop_lag_seconds: { ...gauge, labels: {} },
  retry_cost_usd_total: { ...counter, labels: ofStage },
} as const satisfies MetricCatalogue;
