import { stat, stateTimeline, timeSeries } from '../../../dashboards/charts.ts';
import { promql } from '../../../dashboards/data-queries.ts';
import { maximum, ofStage, sumOfMaxima } from '../../../dashboards/promql.ts';

/** Panels about pauses. */
export const pausePanels = {
  inForce: stat({
    title: 'Pauses in force',
    description: 'Pauses that operators have placed, of every scope.',
    unit: 'locale',
    decimals: 0,
    width: 6,
    queries: [promql(sumOfMaxima('pauses_active', { labels: ['scope'] }), 'Pauses')],
  }),
  oldest: stat({
    title: 'Oldest pause',
    description: 'How long the oldest pause has been in force. Pauses are easily forgotten.',
    unit: 's',
    width: 6,
    queries: [promql(maximum('pause_age_seconds'), 'Age')],
  }),
  byScope: timeSeries({
    title: 'Pauses by scope',
    description: 'Pauses in force, by what they stop: a stage, a model, an origin.',
    unit: 'short',
    decimals: 0,
    width: 8,
    queries: [promql(maximum('pauses_active', { by: ['scope'] }), '{{scope}}')],
  }),
  stages: stateTimeline({
    title: 'Paused stages',
    description: 'Stages that an operator has taken out of work.',
    unit: 'none',
    width: 8,
    states: [
      { value: 0, text: 'working', color: 'green' },
      { value: 1, text: 'paused', color: 'orange' },
    ],
    queries: [promql(maximum('stage_paused', { by: ['stage'], where: ofStage }), '{{stage}}')],
  }),
};
