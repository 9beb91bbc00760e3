import type { MetricCatalogue } from '../../../telemetry/metric-definition.ts';
import { streamEnds } from './open-streams.ts';

/** Fed by the streams of events of requests, and by what writes their logs. */
export const streamMetrics = {
  request_streams_open: {
    type: 'gauge',
    unit: 'streams',
    labels: {},
    help: 'Streams of events of requests that are open in this process.',
  },
  request_streams_ended_total: {
    type: 'counter',
    unit: 'streams',
    labels: { end: streamEnds },
    help: 'Streams of events that ended, by why: the final event was sent, the reader left, it took nothing for too long and was dropped, the stream had been open for its longest time, the process stopped, it failed.',
  },
  request_first_text_seconds: {
    type: 'histogram',
    unit: 'seconds',
    labels: {},
    help: 'From when a request was accepted until the first piece of its text was sent on a stream that was open by then.',
    buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  },
  request_events_dropped_total: {
    type: 'counter',
    unit: 'events',
    labels: {},
    help: 'Events of requests that were not written into their logs because too many waited: the store of logs is away or too slow. Results are not concerned.',
  },
} as const satisfies MetricCatalogue;
