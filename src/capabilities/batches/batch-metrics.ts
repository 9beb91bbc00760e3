import type { EngineCatalogue } from '../../engine/metrics/engine-metrics.ts';
import type { MetricCatalogue } from '../../telemetry/metric-definition.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { itemEnds, itemStates } from './batch.ts';
import { openProviderBatchStates } from './provider/provider-batch-state.ts';

/** States in which a batch is not over. */
const openBatchStates = ['receiving', 'running', 'paused', 'halted', 'cancelling'] as const;

/** States of chunks that somebody waits for, or has to look at. */
const shownChunkStates = ['waiting', 'running', 'failed'] as const;

/**
 * Fed by what records the ends of items, and at a scrape. No label names a batch: there is no bound on their names. At most a thousand
 * open batches, and some thousand chunks, are looked at for a reading.
 */
export const batchMetrics = {
  batches: {
    type: 'gauge',
    unit: 'batches',
    labels: { state: openBatchStates },
    help: 'Batches that are not over, by their state; aggregate with max.',
  },
  batch_items: {
    type: 'gauge',
    unit: 'items',
    labels: { state: itemStates },
    help: 'Items of the batches that are begun and not over, by their state; aggregate with max.',
  },
  batch_items_ended_total: {
    type: 'counter',
    unit: 'items',
    labels: { end: itemEnds },
    help: 'Items of batches whose end this process recorded; one that is run again and ends again counts again.',
  },
  batch_quality_checks_total: {
    type: 'counter',
    unit: 'checks',
    labels: { result: ['passed', 'failed', 'asked_again'] },
    help: 'Checks of the output of batches that this process recorded, by how they ended; asked_again: a validator threw or did not answer, and is asked again later.',
  },
  batch_chunks: {
    type: 'gauge',
    unit: 'chunks',
    labels: { state: shownChunkStates },
    help: 'Chunks of the batches that are begun and not over, by their state, 5000 of each at most; aggregate with max.',
  },
  batch_oldest_open_seconds: {
    type: 'gauge',
    unit: 'seconds',
    labels: {},
    help: 'Time since the start of the oldest batch that is not over; 0 when there is none.',
  },
  batch_quiet_seconds: {
    type: 'gauge',
    unit: 'seconds',
    labels: {},
    help: 'The longest time for which nothing moved in a running batch that waits for nothing known: no pause, limit, budget, retry or provider; 0 when there is none.',
  },
  batches_deadline_at_risk: {
    type: 'gauge',
    unit: 'batches',
    labels: {},
    help: 'Running batches that end after their deadline, at the rate at which their items have ended so far; aggregate with max.',
  },
  provider_batches: {
    type: 'gauge',
    unit: 'batches',
    labels: { state: openProviderBatchStates },
    help: 'Batches at providers that are not closed, by their state; aggregate with max.',
  },
  provider_batch_hindered_seconds: {
    type: 'gauge',
    unit: 'seconds',
    labels: {},
    help: 'The longest time for which the steps of a provider batch have failed one after another, its provider not being configured included; 0 when there is none; aggregate with max.',
  },
  provider_batch_oldest_open_seconds: {
    type: 'gauge',
    unit: 'seconds',
    labels: {},
    help: 'Time since the oldest provider batch that is neither closed nor unresolved was planned; 0 when there is none.',
  },
} as const satisfies MetricCatalogue;

/** What this capability reports to: its own metrics beside those of the engine. */
export type BatchMetrics = Metrics<EngineCatalogue & typeof batchMetrics>;
