import type { EngineCatalogue } from '../../engine/metrics/engine-metrics.ts';
import type { MetricCatalogue } from '../../telemetry/metric-definition.ts';
import type { Metrics } from '../../telemetry/metrics.ts';

export const eventResults = ['admitted', 'duplicate', 'unreadable'] as const;
export const restReasons = ['pause', 'backlog', 'refused'] as const;

/** Fed by the process that has the maintenance role. */
export const triggerMetrics = {
  trigger_events_total: {
    type: 'counter',
    unit: 'events',
    labels: { trigger: 'open', result: eventResults },
    help: 'Events of triggers that were acknowledged at their source, by what became of them: a message, nothing as their message was there already, or nothing as no message could be made of them (kept in millrace.unreadable_events).',
  },
  trigger_lag: {
    type: 'gauge',
    unit: 'events',
    labels: { trigger: 'open' },
    help: 'Events that wait at the source of the trigger; aggregate with max.',
  },
  trigger_resting: {
    type: 'gauge',
    unit: 'triggers',
    labels: { trigger: 'open', reason: restReasons },
    help: 'Is 1 while nothing is consumed for the trigger: its stage is paused, has too much waiting, or the next event is refused by a budget. It goes on by itself.',
  },
} as const satisfies MetricCatalogue;

/** What this capability reports to: its own metrics beside those of the engine. */
export type TriggerMetrics = Metrics<EngineCatalogue & typeof triggerMetrics>;
