import type { Board } from '../board.ts';
import { boardUids } from '../board-links.ts';
import { heatmap, stateTimeline, timeSeries } from '../charts.ts';
import { worseAbove } from '../colour-limits.ts';
import { promql, type PromQuery } from '../data-queries.ts';
import { heat, maximum, ofStage, quantile, sumOfMaxima, sumOfRates, total } from '../promql.ts';
import {
  backlogColours,
  jobColours,
  laneColours,
  outcomeColours,
  retryColours,
  tokenColours,
} from '../series-colours.ts';
import { thresholds } from '../thresholds.ts';
import { stageVariables } from '../variables.ts';

const perStage = ['owner', 'stage'];
const succeeded = `${ofStage},outcome="success"`;

export const stageBoard: Board = {
  uid: boardUids.stage,
  title: 'Millrace / Stage',
  question: 'Is this stage keeping up, and if not, what holds it back?',
  range: '6h',
  refresh: '30s',
  variables: stageVariables,
  rows: [
    {
      title: 'Does it keep up?',
      panels: [
        timeSeries({
          title: 'Enqueued and finished',
          description:
            'Messages that came in and that ended, each second. Where the first stays above the second, the backlog grows.',
          unit: 'mps',
          width: 8,
          queries: [
            promql(sumOfRates('stage_enqueued_total', { by: ['stage'], where: ofStage }), '{{stage}} in'),
            promql(sumOfRates('stage_messages_total', { by: ['stage'], where: ofStage }), '{{stage}} out'),
          ],
        }),
        timeSeries({
          title: 'Messages by state',
          description:
            'Open messages: ready to run, delayed for a retry, parked until something is lifted, leased by a worker.',
          unit: 'short',
          decimals: 0,
          width: 8,
          draw: 'areas',
          isStacked: true,
          colours: backlogColours,
          queries: [
            promql(
              sumOfMaxima('stage_backlog', {
                labels: [...perStage, 'lane', 'state'],
                by: ['state'],
                where: ofStage,
              }),
              '{{state}}',
            ),
          ],
        }),
        timeSeries({
          title: 'Oldest waiting message',
          description: 'How long the message that is due longest has waited for a worker.',
          unit: 's',
          width: 8,
          queries: [
            promql(maximum('queue_oldest_waiting_seconds', { by: ['stage'], where: ofStage }), '{{stage}}'),
          ],
        }),
        timeSeries({
          title: 'Backlog by lane',
          description:
            'Messages of each lane that are ready to run. A lane that grows alone has too small a share.',
          unit: 'short',
          decimals: 0,
          width: 8,
          colours: laneColours,
          queries: [
            promql(
              sumOfMaxima('stage_backlog', {
                labels: [...perStage, 'lane'],
                by: ['lane'],
                where: `${ofStage},state="ready"`,
              }),
              '{{lane}}',
            ),
          ],
        }),
        timeSeries({
          title: 'Time to drain and its limit',
          description:
            'How long the backlog takes at the present rate, and, dashed, what the stage promises (drainWithin). Autoscaling reads the first.',
          unit: 's',
          width: 8,
          limitSuffix: 'limit',
          queries: [
            promql(maximum('stage_backlog_seconds', { by: ['stage'], where: ofStage }), '{{stage}}'),
            promql(maximum('stage_drain_slo_seconds', { by: ['stage'], where: ofStage }), '{{stage}} limit'),
          ],
        }),
        timeSeries({
          title: 'Worker saturation',
          description:
            'Share of the slots that are taken; there are fewer while a provider is in trouble. Near 100 % with a growing backlog: more workers help.',
          unit: 'percentunit',
          width: 8,
          min: 0,
          max: 1,
          limits: worseAbove({ amber: thresholds.queue.busyShare, red: thresholds.queue.saturatedShare }),
          queries: [
            promql(
              `clamp_max(${total('worker_active', { by: ['stage'], where: ofStage })} / ${total('worker_concurrency', { by: ['stage'], where: ofStage })}, 1)`,
              '{{stage}}',
            ),
          ],
        }),
        stateTimeline({
          title: 'Paused',
          description: 'Stages that an operator has taken out of work.',
          unit: 'none',
          width: 16,
          height: 6,
          states: [
            { value: 0, text: 'working', color: 'green' },
            { value: 1, text: 'paused', color: 'orange' },
          ],
          queries: [promql(maximum('stage_paused', { by: ['stage'], where: ofStage }), '{{stage}}')],
        }),
        timeSeries({
          title: 'Jobs in the queue',
          description:
            'Job notifications for workers. A worker that wrote a message itself runs it without one, so these are fewer than the messages.',
          unit: 'short',
          decimals: 0,
          width: 8,
          height: 6,
          draw: 'areas',
          isStacked: true,
          colours: jobColours,
          queries: [
            promql(
              sumOfMaxima('queue_jobs', { labels: [...perStage, 'state'], by: ['state'], where: ofStage }),
              '{{state}}',
            ),
          ],
        }),
      ],
    },
    {
      title: 'How long does it take?',
      panels: [
        timeSeries({
          title: 'Processing latency',
          description: 'Time from lease to finish of one attempt, failures included.',
          unit: 's',
          width: 8,
          queries: quantiles('stage_duration_seconds'),
        }),
        timeSeries({
          title: 'Queue wait',
          description: 'Time from when a message was due until a worker leased it.',
          unit: 's',
          width: 8,
          queries: quantiles('queue_wait_seconds'),
        }),
        timeSeries({
          title: 'End-to-end latency',
          description:
            'Time from the admission of the first message to the end of the last one, where the pipeline ends.',
          unit: 's',
          width: 8,
          queries: quantiles('message_age_seconds'),
        }),
        heatmap({
          title: 'Latency heatmap',
          description: 'Attempts by how long they took. Two bands are two kinds of work, or a time-out.',
          unit: 's',
          width: 12,
          queries: [promql(heat('stage_duration_seconds', ofStage), '{{le}}')],
        }),
        timeSeries({
          title: 'Outcomes',
          description: 'Messages that ended each second, by how.',
          unit: 'mps',
          width: 12,
          draw: 'areas',
          isStacked: true,
          colours: outcomeColours,
          queries: [
            promql(sumOfRates('stage_messages_total', { by: ['outcome'], where: ofStage }), '{{outcome}}'),
          ],
        }),
      ],
    },
    {
      title: 'What goes wrong, and what does it cost?',
      panels: [
        timeSeries({
          title: 'Retries by reason',
          description: 'Attempts that failed and are tried again later.',
          unit: 'mps',
          width: 8,
          colours: retryColours,
          queries: [
            promql(sumOfRates('stage_retries_total', { by: ['reason'], where: ofStage }), '{{reason}}'),
          ],
        }),
        timeSeries({
          title: 'Parked by reason, per stage',
          description: 'Messages put aside without counting an attempt, by what they wait for.',
          unit: 'mps',
          width: 8,
          queries: [
            promql(
              sumOfRates('messages_parked_total', { by: ['stage', 'reason'], where: ofStage }),
              '{{stage}}: {{reason}}',
            ),
          ],
        }),
        timeSeries({
          title: 'Cost of repeated attempts per hour',
          description: 'What calls cost that repeat a failed attempt: money that bought nothing new.',
          unit: 'currencyUSD',
          width: 8,
          queries: [
            promql(
              `${sumOfRates('retry_cost_usd_total', { by: ['stage'], where: ofStage })} * 3600`,
              '{{stage}}',
            ),
          ],
        }),
        timeSeries({
          title: 'Cost per success by stage',
          description: 'What a message that succeeded cost, failed attempts included.',
          unit: 'currencyUSD',
          width: 8,
          queries: [
            promql(
              `${sumOfRates('cost_usd_total', { by: ['stage'], where: ofStage })} / ${sumOfRates('stage_messages_total', { by: ['stage'], where: succeeded })}`,
              '{{stage}}',
            ),
          ],
        }),
        timeSeries({
          title: 'Tokens per success',
          description:
            'Tokens of each class by the messages that succeeded. A jump means longer prompts or longer answers.',
          unit: 'short',
          width: 8,
          colours: tokenColours,
          queries: [
            promql(
              `(${sumOfRates('tokens_total', { by: ['class'], where: ofStage })} > 0) / on () group_left () ${sumOfRates('stage_messages_total', { where: succeeded })}`,
              '{{class}}',
            ),
          ],
        }),
        timeSeries({
          title: 'Answers reused, and cascades',
          description:
            'Steps answered from a recorded answer, without a request and without cost; recorded answers that did not fit any more; and answers of the smaller models of cascades, taken or escalated to the next model.',
          unit: 'ops',
          width: 8,
          queries: [
            promql(
              sumOfRates('calls_reused_total', { by: ['stage'], where: 'stage=~"$stage"' }),
              '{{stage}} reused',
            ),
            promql(
              sumOfRates('step_diverged_total', { by: ['stage'], where: 'stage=~"$stage"' }),
              '{{stage}} diverged',
            ),
            promql(
              sumOfRates('cascade_answers_total', {
                by: ['stage', 'verdict'],
                where: 'stage=~"$stage"',
              }),
              '{{stage}} cascade {{verdict}}',
            ),
          ],
        }),
      ],
    },
  ],
};

function quantiles(
  name: 'stage_duration_seconds' | 'queue_wait_seconds' | 'message_age_seconds',
): readonly PromQuery[] {
  return [0.5, 0.95, 0.99].map((share) =>
    promql(quantile(share, name, { by: ['stage'], where: ofStage }), `{{stage}} p${share * 100}`),
  );
}
