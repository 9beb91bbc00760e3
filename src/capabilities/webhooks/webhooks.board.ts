import type { BoardRow } from '../../../dashboards/board.ts';
import { stat, timeSeries } from '../../../dashboards/charts.ts';
import { worseAbove } from '../../../dashboards/colour-limits.ts';
import { promql } from '../../../dashboards/data-queries.ts';
import { maximum, sumOfRates } from '../../../dashboards/promql.ts';
import { thresholds } from '../../../dashboards/thresholds.ts';

/** A row about webhooks, from the metrics. */
export const webhookRows: readonly BoardRow[] = [
  {
    title: 'Are webhooks told?',
    panels: [
      timeSeries({
        title: 'Webhook attempts',
        description: 'Requests to webhooks each second, by what became of them.',
        unit: 'short',
        width: 16,
        queries: [promql(sumOfRates('webhook_attempts_total', { by: ['result'] }), '{{result}}')],
      }),
      timeSeries({
        title: 'Webhooks disabled by their answers',
        description: 'Endpoints that were disabled each second, because they are gone or took nothing.',
        unit: 'short',
        width: 8,
        queries: [promql(sumOfRates('webhook_endpoints_disabled_total', { by: ['cause'] }), '{{cause}}')],
      }),
      stat({
        title: 'Deliveries waiting',
        description: 'Deliveries to enabled webhooks that were not taken yet.',
        unit: 'locale',
        decimals: 0,
        width: 8,
        hasCourse: true,
        queries: [promql(maximum('webhook_deliveries_waiting'), 'Waiting')],
      }),
      stat({
        title: 'Oldest delivery',
        description:
          'Time since the oldest delivery to an enabled webhook was queued that was not taken yet.',
        unit: 's',
        width: 8,
        hasCourse: true,
        limits: worseAbove({ red: thresholds.webhooks.waitsSeconds }),
        queries: [promql(maximum('webhook_oldest_waiting_seconds'), 'Age')],
      }),
      stat({
        title: 'Webhooks disabled',
        description: 'Webhooks that took nothing for some three days, and are disabled for it.',
        unit: 'locale',
        decimals: 0,
        width: 8,
        limits: worseAbove({ amber: 1 }),
        queries: [promql(maximum('webhook_endpoints_disabled', { where: 'cause="exhausted"' }), 'Disabled')],
      }),
    ],
  },
];
