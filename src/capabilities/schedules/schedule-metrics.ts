import type { EngineCatalogue } from '../../engine/metrics/engine-metrics.ts';
import type { MetricCatalogue } from '../../telemetry/metric-definition.ts';
import type { Metrics } from '../../telemetry/metrics.ts';

export const scheduleStates = ['active', 'paused', 'failing', 'ended'] as const;
export const runResults = ['started', 'skipped', 'missed', 'failed'] as const;

/** The counter and the lag are fed by the maintenance role, the gauges at a scrape. */
export const scheduleMetrics = {
  schedules: {
    type: 'gauge',
    unit: 'schedules',
    labels: { state: scheduleStates },
    help: 'Schedules: with a time to come, paused, whose last run could not be admitted, or without any time to come; every process reports the same, so aggregate with max.',
  },
  schedules_overdue_seconds: {
    type: 'gauge',
    unit: 'seconds',
    labels: {},
    help: 'For how long the run that is due longest has not been started; 0 when none is. Every process reports the same, so aggregate with max.',
  },
  schedule_runs_total: {
    type: 'counter',
    unit: 'runs',
    labels: { result: runResults },
    help: 'Times of schedules by what came of them: a message was admitted, the run before was still under way, nobody was there in time, or the message was refused.',
  },
  schedule_lag_seconds: {
    type: 'histogram',
    unit: 'seconds',
    labels: {},
    help: 'From the time of a run, jitter included, until its message was admitted; missed ones that were made up for are not in it.',
    buckets: [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60],
  },
} as const satisfies MetricCatalogue;

/** What this capability reports to: its own metrics beside those of the engine. */
export type ScheduleMetrics = Metrics<EngineCatalogue & typeof scheduleMetrics>;
