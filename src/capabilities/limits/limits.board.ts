import { stateTimeline, timeSeries } from '../../../dashboards/charts.ts';
import { worseAbove } from '../../../dashboards/colour-limits.ts';
import { promql } from '../../../dashboards/data-queries.ts';
import { maximum, minimum, ofModel, quantile, series } from '../../../dashboards/promql.ts';
import { thresholds } from '../../../dashboards/thresholds.ts';

/** Panels about circuits, limits and retry budgets of models. */
export const limitPanels = {
  circuit: stateTimeline({
    title: 'Circuit',
    description:
      'Circuit of each model: closed lets requests through, open parks their messages, half open tries one.',
    unit: 'none',
    width: 12,
    states: [
      { value: 0, text: 'closed', color: 'green' },
      { value: 1, text: 'half open', color: 'orange' },
      { value: 2, text: 'open', color: 'red' },
    ],
    queries: [
      promql(
        `max by (provider, model) (${series('llm_circuit_state', `${ofModel},state="half_open"`)}) + 2 * max by (provider, model) (${series('llm_circuit_state', `${ofModel},state="open"`)})`,
        '{{model}}',
      ),
    ],
  }),
  rateLimitsUsed: timeSeries({
    title: 'Rate limits used',
    description:
      'Share of the shared limit of requests and tokens a minute that is used. At 100 % messages wait.',
    unit: 'percentunit',
    width: 8,
    limits: worseAbove({ amber: thresholds.models.limitNearShare }),
    queries: [
      promql(
        `1 - ${minimum('llm_limit_remaining', { by: ['model', 'kind'], where: ofModel })} / ${maximum('llm_limit_per_minute', { by: ['model', 'kind'], where: ofModel })}`,
        '{{model}}: {{kind}}',
      ),
    ],
  }),
  wait: timeSeries({
    title: 'Wait for a rate limit, p95',
    description: 'How long requests waited for the limit; one in twenty waited longer.',
    unit: 's',
    width: 8,
    queries: [
      promql(quantile(0.95, 'llm_limit_wait_seconds', { by: ['model'], where: ofModel }), '{{model}}'),
    ],
  }),
  retryBudgetUsed: timeSeries({
    title: 'Retry budget used',
    description:
      'Share of the retries that a model is allowed. At 100 % messages are parked instead of retried.',
    unit: 'percentunit',
    width: 8,
    limits: worseAbove({ amber: thresholds.models.limitNearShare }),
    queries: [promql(maximum('llm_retry_budget_used_ratio', { by: ['model'], where: ofModel }), '{{model}}')],
  }),
};
