import type { Board } from '../board.ts';
import { boardUids, rowLink } from '../board-links.ts';
import { stat, timeSeries } from '../charts.ts';
import { worseAbove, worseBelow } from '../colour-limits.ts';
import { promql } from '../data-queries.ts';
import { maximum, ofStage, quantile, series, sumOfIncreases, sumOfMaxima, sumOfRates } from '../promql.ts';
import { errorColours, outcomeColours, parkingColours } from '../series-colours.ts';
import { promTable } from '../tables.ts';
import { thresholds } from '../thresholds.ts';
import { stageVariables } from '../variables.ts';

const ended = `${ofStage},outcome!="skipped"`;
const succeeded = `${ofStage},outcome="success"`;
const failed = `${ofStage},outcome=~"failed|dead_lettered"`;
const recently = '5m';
const perStage = ['owner', 'stage'];
/** Messages that want to run, now or soon. */
const waiting = (by: readonly string[]): string =>
  sumOfMaxima('stage_backlog', {
    labels: [...perStage, 'lane', 'state'],
    by,
    where: `${ofStage},state=~"ready|delayed"`,
  });
/** What an alert is about, in the one label that it has for it. */
const firing = `label_join((time() - ALERTS_FOR_STATE{alertname=~"Millrace.*"}) and ignoring (alertstate) ALERTS{alertstate="firing"}, "about", "", "stage", "model", "budget", "name", "bound")`;

export const overviewBoard: Board = {
  uid: boardUids.overview,
  title: 'Millrace / Overview',
  question: 'Does the work get done, at what price, and where should I look?',
  range: '6h',
  refresh: '30s',
  variables: stageVariables,
  rows: [
    {
      title: 'Is anything wrong?',
      panels: [
        stat({
          title: 'Success ratio',
          description:
            'Share of ended messages that succeeded, over the time range. Dead letters and failures count against it.',
          unit: 'percentunit',
          decimals: 2,
          width: 4,
          queries: [
            promql(
              `${sumOfIncreases('stage_messages_total', { where: succeeded, window: '$__range' })} / ${sumOfIncreases('stage_messages_total', { where: ended, window: '$__range' })}`,
              'Success',
            ),
          ],
          limits: worseBelow({ amber: thresholds.success.sloTarget }),
        }),
        stat({
          title: 'Waiting now',
          description:
            'Messages that are due or wait for a retry, over all stages. What is parked waits apart.',
          unit: 'locale',
          decimals: 0,
          width: 4,
          hasCourse: true,
          queries: [promql(waiting([]), 'Waiting')],
        }),
        stat({
          title: 'Slowest backlog',
          description:
            'How long the stage that is furthest behind needs for its backlog, at the rate of the last minutes.',
          unit: 's',
          width: 4,
          hasCourse: true,
          queries: [promql(maximum('stage_backlog_seconds', { where: ofStage }), 'Backlog')],
        }),
        stat({
          title: 'Dead letters, last hour',
          description: 'Messages that were given up on. Normal is none.',
          unit: 'locale',
          decimals: 0,
          width: 4,
          queries: [
            promql(sumOfIncreases('dead_letters_total', { where: ofStage, window: '1h' }), 'Dead letters'),
          ],
          limits: worseAbove({
            amber: thresholds.deadLetters.suspiciousPerHour,
            red: thresholds.deadLetters.outagePerHour,
          }),
        }),
        stat({
          title: 'Spend per hour',
          description: 'What model calls cost at the rate of the last five minutes.',
          unit: 'currencyUSD',
          width: 4,
          hasCourse: true,
          queries: [
            promql(
              `${sumOfRates('cost_usd_total', { where: ofStage, window: recently })} * 3600`,
              'Spend per hour',
            ),
          ],
        }),
        stat({
          title: 'Cost per success',
          description:
            'Spend in the time range by the messages that succeeded in it, over the chosen stages.',
          unit: 'currencyUSD',
          width: 4,
          queries: [
            promql(
              `${sumOfIncreases('cost_usd_total', { where: ofStage, window: '$__range' })} / ${sumOfIncreases('stage_messages_total', { where: succeeded, window: '$__range' })}`,
              'Cost',
            ),
          ],
        }),
      ],
    },
    {
      title: 'Which stage is it?',
      panels: [
        promTable({
          title: 'Stages',
          description: 'Every stage as it stands. A click on its name shows why.',
          unit: 'short',
          width: 24,
          height: 7,
          labels: [
            { name: 'stage', title: 'Stage', link: rowLink('Show the stage', 'stage', { stage: 'stage' }) },
            { name: 'owner', title: 'Owner' },
          ],
          values: [
            {
              name: 'waiting',
              title: 'Waiting',
              unit: 'locale',
              decimals: 0,
              expr: waiting(perStage),
            },
            {
              name: 'oldest',
              title: 'Oldest waits',
              unit: 's',
              expr: maximum('queue_oldest_waiting_seconds', { by: perStage, where: ofStage }),
            },
            {
              name: 'finished',
              title: 'Finished',
              unit: 'mps',
              expr: sumOfRates('stage_messages_total', { by: perStage, where: ofStage, window: recently }),
            },
            {
              name: 'failed',
              title: 'Failed',
              unit: 'percentunit',
              decimals: 1,
              limits: worseAbove({ amber: 1 - thresholds.success.sloTarget }),
              expr: `${sumOfRates('stage_messages_total', { by: perStage, where: failed, window: recently })} / ${sumOfRates('stage_messages_total', { by: perStage, where: ended, window: recently })}`,
            },
            {
              name: 'p95',
              title: 'p95',
              unit: 's',
              expr: quantile(0.95, 'stage_duration_seconds', {
                by: perStage,
                where: ofStage,
                window: recently,
              }),
            },
            {
              name: 'dead',
              title: 'Dead letters',
              unit: 'locale',
              decimals: 0,
              link: rowLink('Show the dead letters', 'deadLetters', { stage: 'stage' }),
              limits: worseAbove({
                amber: thresholds.deadLetters.suspiciousPerHour,
                red: thresholds.deadLetters.outagePerHour,
              }),
              expr: maximum('dead_letters', { by: perStage, where: ofStage }),
            },
            {
              name: 'spend',
              title: 'Spend per hour',
              unit: 'currencyUSD',
              expr: `${sumOfRates('cost_usd_total', { by: perStage, where: ofStage, window: recently })} * 3600`,
            },
          ],
        }),
        promTable({
          title: 'Firing alerts',
          description: 'Alerts that are firing, what they are about, and for how long. Each has a runbook.',
          unit: 'string',
          width: 12,
          labels: [
            { name: 'alertname', title: 'Alert' },
            { name: 'severity', title: 'Severity', width: 68 },
            { name: 'about', title: 'About', width: 150 },
          ],
          values: [
            {
              name: 'for',
              title: 'For',
              width: 68,
              decimals: 1,
              unit: 's',
              expr: `sort(max by (alertname, severity, about) (${firing}))`,
            },
          ],
        }),
        timeSeries({
          title: 'Ended by outcome',
          description: 'Messages that ended in a stage each second, by how they ended.',
          unit: 'mps',
          width: 6,
          draw: 'areas',
          isStacked: true,
          colours: outcomeColours,
          queries: [
            promql(sumOfRates('stage_messages_total', { by: ['outcome'], where: ofStage }), '{{outcome}}'),
          ],
        }),
        timeSeries({
          title: 'Backlog by stage',
          description:
            'Messages that are due or wait for a retry. A curve that only rises needs workers, or a provider that answers.',
          unit: 'short',
          width: 6,
          queries: [promql(waiting(['stage']), '{{stage}}')],
        }),
      ],
    },
    {
      title: 'What does it cost, and do the models answer?',
      panels: [
        timeSeries({
          title: 'Spend per hour by stage',
          description: 'The rate at which each stage spends. Who pays is on the board of costs.',
          unit: 'currencyUSD',
          width: 8,
          draw: 'areas',
          isStacked: true,
          queries: [
            promql(`${sumOfRates('cost_usd_total', { by: ['stage'], where: ofStage })} * 3600`, '{{stage}}'),
          ],
        }),
        timeSeries({
          title: 'Failing requests by kind',
          description:
            'Requests to providers that failed each second. Retries may hide them from the outcome, never from the bill.',
          unit: 'reqps',
          width: 8,
          colours: errorColours,
          queries: [
            promql(
              sumOfRates('llm_requests_total', {
                by: ['error_type'],
                where: 'stage=~"$stage",outcome="error"',
              }),
              '{{error_type}}',
            ),
          ],
        }),
        timeSeries({
          title: 'Parked by reason',
          description:
            'Messages put aside without counting an attempt: by a pause, an open circuit, a rate limit or a budget.',
          unit: 'mps',
          width: 8,
          colours: parkingColours,
          queries: [
            promql(sumOfRates('messages_parked_total', { by: ['reason'], where: ofStage }), '{{reason}}'),
          ],
        }),
        stat({
          title: 'Processes',
          description: 'Processes of Millrace that answer the scrape, by role.',
          unit: 'locale',
          width: 8,
          queries: [promql(`count by (role) (${series('build_info')})`, '{{role}}')],
        }),
        stat({
          title: 'Unpriced calls',
          description:
            'Calls in the time range whose model has no known price. Their spend is missing in every sum.',
          unit: 'locale',
          decimals: 0,
          width: 8,
          limits: worseAbove({ red: 1 }),
          queries: [
            promql(sumOfIncreases('metering_unpriced_events_total', { window: '$__range' }), 'Unpriced'),
          ],
        }),
        stat({
          title: 'Usage reaches ClickHouse after',
          description:
            'Age of the oldest settled call that has not arrived. Costs on the boards are behind by this much.',
          unit: 's',
          width: 8,
          hasCourse: true,
          limits: worseAbove({ red: thresholds.metering.lagSeconds }),
          queries: [promql(maximum('export_lag_seconds'), 'Lag')],
        }),
      ],
    },
  ],
};
