import type { MetricCatalogue } from './metric-definition.ts';

/** Fed by src/engine/export: the exporter; by src/capabilities/costs: spend over its baseline; and by the payload store's wrapper in src/host. */
export const usageMetrics = {
  metering_events_total: {
    type: 'counter',
    unit: 'records',
    labels: { result: ['accepted', 'flushed', 'retried', 'dropped'] },
    help: 'Usage records: taken up, acknowledged by the column store, tried again, lost.',
  },
  export_batches_total: {
    type: 'counter',
    unit: 'batches',
    labels: { table: 'open', result: ['inserted', 'already_there', 'failed'] },
    help: 'Export batches; already_there was found in the column store after an uncertain insert.',
  },
  export_lag_seconds: {
    type: 'gauge',
    unit: 'seconds',
    labels: {},
    help: 'Age of the oldest settled call that has not reached the column store; aggregate with max.',
  },
  export_pending_records: {
    type: 'gauge',
    unit: 'records',
    labels: {},
    help: 'Settled calls that have not reached the column store; aggregate with max.',
  },
  spend_over_baseline_ratio: {
    type: 'gauge',
    unit: 'ratio',
    labels: { dimension: ['team', 'customer', 'feature'], name: 'open' },
    help: 'Spend as a multiple of the usual at this time of day, of the 20 names of each dimension with the highest; set by the relay, aggregate with max.',
  },
  payload_bytes_total: {
    type: 'counter',
    unit: 'bytes',
    labels: { op: ['put', 'get'] },
    help: 'Bytes written to and read from the payload store.',
  },
  payloads_removed_total: {
    type: 'counter',
    unit: 'payloads',
    labels: {},
    help: 'Payloads removed because the rows that named them were pruned.',
  },
} as const satisfies MetricCatalogue;
