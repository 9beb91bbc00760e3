import { limitPanels } from '../../src/capabilities/limits/limits.board.ts';
import type { Board } from '../board.ts';
import { boardUids } from '../board-links.ts';
import { stat, timeSeries } from '../charts.ts';
import { worseAbove } from '../colour-limits.ts';
import { promql, type PromQuery } from '../data-queries.ts';
import { ofModel, quantile, sumOfIncreases, sumOfRates, total } from '../promql.ts';
import { errorColours, tokenColours } from '../series-colours.ts';
import { thresholds } from '../thresholds.ts';
import { modelVariables } from '../variables.ts';

const failing = `${ofModel},outcome="error"`;
const retried = `${ofModel},attempt="retry"`;
const input = `${ofModel},class=~"uncached_input|cache_read|cache_write_5m|cache_write_1h|audio_input|image_input"`;
const cached = `${ofModel},class="cache_read"`;
const errorShare = worseAbove({
  amber: thresholds.models.errorShare,
  red: thresholds.models.errorOutageShare,
});

export const modelsBoard: Board = {
  uid: boardUids.models,
  title: 'Millrace / Models',
  question: 'Do the providers answer, how fast, at what price, and what do we do when they do not?',
  range: '6h',
  refresh: '30s',
  variables: modelVariables,
  rows: [
    {
      title: 'Do they answer?',
      panels: [
        stat({
          title: 'Requests per second',
          description: 'Requests to all chosen models.',
          unit: 'reqps',
          width: 6,
          hasCourse: true,
          queries: [promql(sumOfRates('llm_requests_total', { where: ofModel }), 'Requests')],
        }),
        stat({
          title: 'Failing share',
          description:
            'Share of requests in the time range that failed, whatever happened to them afterwards.',
          unit: 'percentunit',
          decimals: 1,
          width: 6,
          limits: errorShare,
          queries: [
            promql(
              `${sumOfIncreases('llm_requests_total', { where: failing, window: '$__range' })} / ${sumOfIncreases('llm_requests_total', { where: ofModel, window: '$__range' })}`,
              'Failing',
            ),
          ],
        }),
        stat({
          title: 'Spend per hour, all models',
          description: 'At the rate of the last five minutes.',
          unit: 'currencyUSD',
          width: 6,
          hasCourse: true,
          queries: [
            promql(
              `${sumOfRates('cost_usd_total', { where: ofModel, window: '5m' })} * 3600`,
              'Spend per hour',
            ),
          ],
        }),
        stat({
          title: 'Cached input',
          description:
            'Share of input tokens that the provider read from its cache, at a fraction of the price.',
          unit: 'percentunit',
          decimals: 1,
          width: 6,
          queries: [
            promql(
              `${sumOfIncreases('tokens_total', { where: cached, window: '$__range' })} / ${sumOfIncreases('tokens_total', { where: input, window: '$__range' })}`,
              'Cached',
            ),
          ],
        }),
        timeSeries({
          title: 'Requests',
          description: 'Requests each second by model.',
          unit: 'reqps',
          width: 8,
          queries: [promql(sumOfRates('llm_requests_total', { by: ['model'], where: ofModel }), '{{model}}')],
        }),
        timeSeries({
          title: 'Failing requests',
          description: 'Share of requests that fail, by kind of error. Choose a model above to see its own.',
          unit: 'percentunit',
          width: 8,
          limits: errorShare,
          colours: errorColours,
          queries: [
            promql(
              `${sumOfRates('llm_requests_total', { by: ['error_type'], where: failing })} / on () group_left () ${sumOfRates('llm_requests_total', { where: ofModel })}`,
              '{{error_type}}',
            ),
          ],
        }),
        timeSeries({
          title: 'Retry share',
          description:
            'Share of requests that repeat a failed attempt. A provider in trouble is not helped by more of them.',
          unit: 'percentunit',
          width: 8,
          limits: worseAbove({ red: thresholds.models.retryStormShare }),
          queries: [
            promql(
              `${sumOfRates('llm_requests_total', { by: ['model'], where: retried })} / ${sumOfRates('llm_requests_total', { by: ['model'], where: ofModel })}`,
              '{{model}}',
            ),
          ],
        }),
      ],
    },
    {
      title: 'How fast?',
      panels: [
        timeSeries({
          title: 'Request latency, median',
          description: 'Time from the request to the end of the answer: half of the requests take less.',
          unit: 's',
          width: 8,
          queries: ofEachModel(0.5, 'llm_request_duration_seconds'),
        }),
        timeSeries({
          title: 'Request latency, p95',
          description: 'The same for the slowest: one in twenty requests takes longer.',
          unit: 's',
          width: 8,
          queries: ofEachModel(0.95, 'llm_request_duration_seconds'),
        }),
        timeSeries({
          title: 'Time to first chunk, p95',
          description:
            'Time from the request to the first chunk of a streamed answer; one in twenty takes longer.',
          unit: 's',
          width: 8,
          queries: ofEachModel(0.95, 'llm_time_to_first_chunk_seconds'),
        }),
        timeSeries({
          title: 'In flight',
          description: 'Requests that wait for their answer.',
          unit: 'short',
          decimals: 0,
          width: 8,
          queries: [promql(total('llm_inflight', { by: ['model'], where: ofModel }), '{{model}}')],
        }),
        timeSeries({
          title: 'Tokens per second by class',
          description: 'What is sent and received. The classes are disjoint.',
          unit: 'short',
          width: 8,
          colours: tokenColours,
          draw: 'areas',
          isStacked: true,
          queries: [
            promql(`${sumOfRates('tokens_total', { by: ['class'], where: ofModel })} > 0`, '{{class}}'),
          ],
        }),
        timeSeries({
          title: 'Spend per hour by model',
          description: 'The rate at which each model costs money.',
          unit: 'currencyUSD',
          width: 8,
          draw: 'areas',
          isStacked: true,
          queries: [
            promql(
              `${sumOfRates('cost_usd_total', { by: ['model'], where: ofModel })} * 3600 > 0`,
              '{{model}}',
            ),
          ],
        }),
      ],
    },
    {
      title: 'What do we do about it?',
      panels: [
        limitPanels.circuit,
        timeSeries({
          title: 'Fallbacks',
          description: 'Requests that went to another model because the circuit of the first was not closed.',
          unit: 'reqps',
          width: 12,
          queries: [
            promql(
              sumOfRates('llm_fallbacks_total', { by: ['from_model', 'to_model'] }),
              '{{from_model}} → {{to_model}}',
            ),
          ],
        }),
        limitPanels.rateLimitsUsed,
        limitPanels.wait,
        limitPanels.retryBudgetUsed,
        timeSeries({
          title: 'Waits that providers ask for',
          description:
            'The longest wait that refusals asked for (`retry-after`), to the next larger bucket. Beyond an hour a message is tried again before, beyond a minute its model is, unless configured otherwise.',
          unit: 's',
          width: 12,
          queries: ofEachModel(1, 'llm_retry_after_seconds'),
        }),
        timeSeries({
          title: 'Refusals that name a wait',
          description:
            'How many refusals asked for a wait, and how many for a longer one than is granted (capped): a daily quota, or a clock that is wrong.',
          unit: 'reqps',
          width: 12,
          queries: [
            promql(
              sumOfRates('llm_retry_after_total', { by: ['model', 'outcome'], where: ofModel }),
              '{{model}}: {{outcome}}',
            ),
          ],
        }),
      ],
    },
  ],
};

/** One quantile of every model: several of each at once are lines that nobody can tell apart. */
function ofEachModel(
  share: number,
  name: 'llm_request_duration_seconds' | 'llm_time_to_first_chunk_seconds' | 'llm_retry_after_seconds',
): readonly PromQuery[] {
  return [promql(quantile(share, name, { by: ['model'], where: ofModel }), '{{model}}')];
}
