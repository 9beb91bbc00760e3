import { batchesBoard } from '../../dashboards/boards/batches-board.ts';
import { costBoard } from '../../src/capabilities/costs/costs.board.ts';
import { expandSql } from '../../dashboards/live/grafana-macros.ts';
import type { CostQuery } from '../../src/capabilities/costs/cost-query.ts';
import { CostReportQuery } from '../../src/capabilities/costs/usage-queries.ts';
import { monthDays, monthStart } from './fill.ts';

/* What is asked: questions of the API over 30 days that begin and end within an hour, and every panel of the cost boards. */

export interface Question {
  readonly name: string;
  readonly sql: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Whether rollups have all that it asks for. */
  readonly isOfRollups: boolean;
}

const dayMs = 86_400_000;
const from = new Date(monthStart + 17 * 60_000);
const to = new Date(monthStart + monthDays * dayMs - 23 * 60_000);

const asked: Readonly<Record<string, CostQuery>> = {
  total: { groupBy: [] },
  team: { groupBy: ['team'] },
  feature: { groupBy: ['feature'] },
  'team, feature': { groupBy: ['team', 'feature'] },
  model: { groupBy: ['model'] },
  'provider, model': { groupBy: ['provider', 'model'] },
  'pipeline, stage': { groupBy: ['pipeline', 'stage'] },
  day: { groupBy: ['day'], order: { by: 'group', direction: 'asc' } },
  'day, team': { groupBy: ['day', 'team'], order: { by: 'group', direction: 'asc' } },
  'hour, of a team': { groupBy: ['hour'], filters: { team: ['team-3'] }, messages: 'none' },
  'waste, model': { groupBy: ['waste', 'model'], messages: 'none' },
  batch: { groupBy: ['batch'], messages: 'none' },
  customer: { groupBy: ['customer'], messages: 'none' },
  'customer, with messages': { groupBy: ['customer'] },
  'model, of a customer': { groupBy: ['model'], filters: { customer: ['customer-3-7'] } },
};

/** Fifteen reports of the API. */
export function apiQuestions(database: string): readonly Question[] {
  return Object.entries(asked).map(([name, query]) => {
    const report = new CostReportQuery({ messages: 'estimated', ...query, from, to });
    return {
      name: `report by ${name}`,
      ...report.toSql(database),
      isOfRollups: report.rollups.length > 0 && report.hasMessagesInRollup,
    };
  });
}

/** Every question of the boards of costs and batches to ClickHouse, over all 30 days. */
export function boardQuestions(): readonly Question[] {
  const view = { fromSeconds: from.getTime() / 1000, toSeconds: to.getTime() / 1000, stepSeconds: 3600 };
  return [costBoard, batchesBoard].flatMap(({ title, rows }) =>
    rows
      .flatMap(({ panels }) => panels)
      .flatMap((panel) =>
        (panel.build().targets ?? []).flatMap((target): Question[] => {
          if (!('rawSql' in target)) return [];
          const sql = expandSql(String(target.rawSql), view);
          const name = `${title.replace('Millrace / ', '')}: ${panel.title}`;
          return [{ name, sql, parameters: {}, isOfRollups: sql.includes('part_') }];
        }),
      ),
  );
}
