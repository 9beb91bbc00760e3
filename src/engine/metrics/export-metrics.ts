import type { MetricCatalogue } from '../../telemetry/metric-definition.ts';

/** Fed by src/engine/export and src/engine/maintenance: the exporter, the removal of payloads. */
export const exportMetrics = {
  metering_events_total: {
    type: 'counter',
    unit: 'records',
    labels: { result: ['accepted', 'flushed', 'retried', 'dropped'] },
    help: 'Usage records: taken up, acknowledged by the column store, tried again, lost.',
  },
  export_batches_total: {
    type: 'counter',
    unit: 'batches',
    labels: {
      table: ['usage', 'message_outcomes'],
      result: ['inserted', 'already_there', 'repaired', 'failed'],
    },
    help: 'Export batches; already_there was found in the column store after an uncertain insert; repaired lacked rows that the column store took for known.',
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
  payloads_removed_total: {
    type: 'counter',
    unit: 'payloads',
    labels: {},
    help: 'Payloads removed because the rows that named them were pruned.',
  },
} as const satisfies MetricCatalogue;
