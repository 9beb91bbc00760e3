import type { BoardRow } from '../../../dashboards/board.ts';
import { stat, timeSeries } from '../../../dashboards/charts.ts';
import { worseAbove } from '../../../dashboards/colour-limits.ts';
import { promql } from '../../../dashboards/data-queries.ts';
import { maximum, sumOfMaxima, sumOfRates } from '../../../dashboards/promql.ts';
import {
  batchColours,
  chunkColours,
  itemColours,
  providerBatchColours,
} from '../../../dashboards/series-colours.ts';
import { thresholds } from '../../../dashboards/thresholds.ts';

const needsSomebody = worseAbove({ red: 1 });

/** Rows about how batches go, from the metrics. */
export const batchRunRows: readonly BoardRow[] = [
  {
    title: 'Which batches need somebody?',
    panels: [
      stat({
        title: 'Batches running',
        description: 'Batches whose items are under way or are to come.',
        unit: 'locale',
        decimals: 0,
        width: 4,
        queries: [promql(maximum('batches', { where: 'state="running"' }), 'Running')],
      }),
      stat({
        title: 'Batches halted',
        description:
          'Batches that stopped by themselves because too much of them failed, and wait for an operator.',
        unit: 'locale',
        decimals: 0,
        width: 4,
        limits: needsSomebody,
        queries: [promql(maximum('batches', { where: 'state="halted"' }), 'Halted')],
      }),
      stat({
        title: 'Deadlines at risk',
        description:
          'Running batches that end after their deadline, at the rate at which their items ended so far.',
        unit: 'locale',
        decimals: 0,
        width: 4,
        limits: worseAbove({ amber: 1 }),
        queries: [promql(maximum('batches_deadline_at_risk'), 'At risk')],
      }),
      stat({
        title: 'Longest without progress',
        description:
          'The longest time in which nothing moved in a running batch that waits for nothing known: no pause, limit, budget, retry or provider.',
        unit: 's',
        width: 4,
        limits: worseAbove({ red: thresholds.batches.quietSeconds }),
        queries: [promql(maximum('batch_quiet_seconds'), 'Quiet')],
      }),
      stat({
        title: 'Unresolved at providers',
        description:
          'Batches at providers of which nothing tells whether they are there: an operator decides.',
        unit: 'locale',
        decimals: 0,
        width: 4,
        limits: needsSomebody,
        queries: [promql(maximum('provider_batches', { where: 'state="unresolved"' }), 'Unresolved')],
      }),
      stat({
        title: 'Oldest open batch',
        description: 'Time since the start of the oldest batch that is not over.',
        unit: 's',
        width: 4,
        queries: [promql(maximum('batch_oldest_open_seconds'), 'Age')],
      }),
    ],
  },
  {
    title: 'How far are they?',
    panels: [
      timeSeries({
        title: 'Items of open batches',
        description: 'Items of the batches that are begun and not over, by how they stand.',
        unit: 'short',
        width: 8,
        draw: 'areas',
        isStacked: true,
        colours: itemColours,
        queries: [promql(maximum('batch_items', { by: ['state'] }), '{{state}}')],
      }),
      timeSeries({
        title: 'Items ended',
        description: 'Items of batches that ended each second, by how.',
        unit: 'short',
        width: 8,
        colours: itemColours,
        queries: [promql(sumOfRates('batch_items_ended_total', { by: ['end'] }), '{{end}}')],
      }),
      timeSeries({
        title: 'Quality checks',
        description: 'Checks of the output of batches each second, by how they ended.',
        unit: 'short',
        width: 8,
        queries: [promql(sumOfRates('batch_quality_checks_total', { by: ['result'] }), '{{result}}')],
      }),
      timeSeries({
        title: 'Open batches',
        description: 'Batches that are not over, by their state.',
        unit: 'short',
        decimals: 0,
        width: 8,
        colours: batchColours,
        queries: [promql(maximum('batches', { by: ['state'] }), '{{state}}')],
      }),
      timeSeries({
        title: 'Chunks',
        description:
          'Chunks of open batches: those that wait, that are under way, and that were given up on.',
        unit: 'short',
        decimals: 0,
        width: 8,
        colours: chunkColours,
        queries: [promql(maximum('batch_chunks', { by: ['state'] }), '{{state}}')],
      }),
      timeSeries({
        title: 'Batches at providers',
        description: 'Batches at providers that are not closed, by how far each has come.',
        unit: 'short',
        decimals: 0,
        width: 8,
        colours: providerBatchColours,
        queries: [promql(maximum('provider_batches', { by: ['state'] }), '{{state}}')],
      }),
      stat({
        title: 'Items to come',
        description: 'Items of open batches that have not ended.',
        unit: 'locale',
        decimals: 0,
        width: 12,
        hasCourse: true,
        queries: [
          promql(
            sumOfMaxima('batch_items', { labels: ['state'], where: 'state=~"waiting|running"' }),
            'To come',
          ),
        ],
      }),
      stat({
        title: 'Oldest batch at a provider',
        description:
          'Time since the oldest batch at a provider was planned that goes on by itself. Providers promise a day.',
        unit: 's',
        width: 6,
        hasCourse: true,
        limits: worseAbove({ amber: thresholds.batches.providerBatchAgeSeconds }),
        queries: [promql(maximum('provider_batch_oldest_open_seconds'), 'Age')],
      }),
      stat({
        title: 'Hindered at providers',
        description:
          'The longest time for which the steps of a batch at a provider have failed one after another, or its provider has not been configured.',
        unit: 's',
        width: 6,
        hasCourse: true,
        limits: worseAbove({ amber: thresholds.batches.hinderedSeconds }),
        queries: [promql(maximum('provider_batch_hindered_seconds'), 'Hindered')],
      }),
    ],
  },
];
