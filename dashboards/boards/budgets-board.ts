import { budgetPanels } from '../../src/capabilities/budgets/budgets.board.ts';
import { spendBaselinePanel } from '../../src/capabilities/costs/spend-baseline.board.ts';
import { pausePanels } from '../../src/capabilities/pauses/pauses.board.ts';
import type { Board } from '../board.ts';
import { boardUids } from '../board-links.ts';
import { stat, timeSeries } from '../charts.ts';
import { promql } from '../data-queries.ts';
import { ofStage, sumOfMaxima, sumOfRates } from '../promql.ts';
import { parkingColours } from '../series-colours.ts';
import { stageVariables } from '../variables.ts';

/** Panels of three capabilities, beside what is parked, whatever the reason. */
export const budgetsBoard: Board = {
  uid: boardUids.budgets,
  title: 'Millrace / Budgets and pauses',
  question: 'Whose money runs out, and what is paused?',
  range: '24h',
  refresh: '30s',
  variables: stageVariables,
  rows: [
    {
      title: 'What is paused?',
      panels: [
        pausePanels.inForce,
        pausePanels.oldest,
        stat({
          title: 'Parked messages',
          description:
            'Messages that are put aside until a pause, a budget, a circuit or a limit lets them go on.',
          unit: 'locale',
          decimals: 0,
          width: 6,
          hasCourse: true,
          queries: [
            promql(
              sumOfMaxima('stage_backlog', {
                labels: ['owner', 'stage', 'lane'],
                where: `${ofStage},state="parked"`,
              }),
              'Parked',
            ),
          ],
        }),
        budgetPanels.usedUp,
        pausePanels.byScope,
        timeSeries({
          title: 'Parking by reason',
          description: 'Messages put aside each second, by what they wait for.',
          unit: 'mps',
          width: 8,
          colours: parkingColours,
          queries: [
            promql(sumOfRates('messages_parked_total', { by: ['reason'], where: ofStage }), '{{reason}}'),
          ],
        }),
        pausePanels.stages,
      ],
    },
    {
      title: 'Whose money runs out?',
      panels: [
        budgetPanels.all,
        spendBaselinePanel,
        budgetPanels.used,
        budgetPanels.usedOverTime,
        budgetPanels.refusals,
        budgetPanels.ofTokens,
        budgetPanels.sharesReached,
      ],
    },
  ],
};
