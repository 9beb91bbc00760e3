import type { BoardRow } from '../../../dashboards/board.ts';
import { rowLink } from '../../../dashboards/board-links.ts';
import { barChart, barGauge, stat, timeSeries } from '../../../dashboards/charts.ts';
import { worseAbove } from '../../../dashboards/colour-limits.ts';
import { spendSums } from '../../engine/export/spend-sums.ts';
import { sql } from '../../../dashboards/data-queries.ts';
import { outcomeColours } from '../../../dashboards/series-colours.ts';
import { spendPartsSql } from './spend-queries.board.ts';
import { sqlTable } from '../../../dashboards/tables.ts';
import { thresholds } from '../../../dashboards/thresholds.ts';
import { chosen, type UsageDimension } from '../../../dashboards/variables.ts';

/** What spend by batch is chosen by. */
export const batchDimensions: readonly UsageDimension[] = ['batch', 'team', 'feature'];
const ofBatches = `batch != '' AND ${chosen(batchDimensions)}`;
const selected = `$__timeFilter(ts) AND ${ofBatches}`;
const itemKey = "if(item = '', toString(root_id), item)";
/** Distinct items, within a percent or so where there are many. */
const items = `uniqCombined64(${itemKey})`;
const batchItems = `uniqCombined64(batch, ${itemKey})`;
const spent = spendSums.cost;

/** Rows about what batches spent and what came of their messages, from the usage records. */
export const batchSpendRows: readonly BoardRow[] = [
  {
    title: 'What did the batches come to?',
    panels: [
      stat({
        title: 'Batches with work',
        description: 'Batches in which something ended in the time range.',
        unit: 'locale',
        decimals: 0,
        width: 6,
        queries: [sql(`SELECT uniqExact(batch) AS batches FROM millrace.message_outcomes WHERE ${selected}`)],
      }),
      stat({
        title: 'Items',
        description: 'Distinct items of these batches.',
        unit: 'locale',
        decimals: 0,
        width: 6,
        queries: [sql(`SELECT ${batchItems} AS items FROM millrace.message_outcomes WHERE ${selected}`)],
      }),
      stat({
        title: 'Spend in batches',
        description: 'What the calls of these batches cost in the time range.',
        unit: 'currencyUSD',
        width: 6,
        queries: [
          sql(`SELECT sum(part_cost) AS spend FROM (${spendPartsSql({ sums: ['cost'], where: ofBatches })})`),
        ],
      }),
      stat({
        title: 'Cost per batch item',
        description: 'Spend by the distinct items that it was for, over all chosen batches.',
        unit: 'currencyUSD',
        width: 6,
        queries: [
          sql(
            `SELECT toFloat64(${spent}) / nullIf(${batchItems}, 0) AS per_item FROM millrace.usage WHERE ${selected}`,
          ),
        ],
      }),
      sqlTable({
        title: 'Every batch',
        description:
          'What each batch cost and what came of its items. Dead letters keep a batch from being whole. The cost per item is of the items that were paid for.',
        unit: 'short',
        width: 24,
        height: 6,
        query: sql(`
            SELECT batch, first_end, last_end, items, dead, spend, toFloat64(spend) / nullIf(paid_items, 0) AS per_item,
              toFloat64(lost) / nullIf(toFloat64(spend), 0) AS waste_share, calls_made, unpriced
            FROM (
              SELECT batch, min(ts) AS first_end, max(ts) AS last_end, ${items} AS items, uniqCombined64If(${itemKey}, outcome = 'dead_lettered') AS dead
              FROM millrace.message_outcomes WHERE ${selected} GROUP BY batch
            ) AS ended
            LEFT JOIN (
              SELECT batch, ${spent} AS spend, ${items} AS paid_items, ${spendSums.waste} AS lost, ${spendSums.calls} AS calls_made, ${spendSums.unpriced} AS unpriced
              FROM millrace.usage WHERE ${selected} GROUP BY batch
            ) AS paid USING (batch)
            ORDER BY last_end DESC, batch LIMIT 100
          `),
        columns: [
          {
            name: 'batch',
            title: 'Batch',
            link: rowLink('Only this batch', 'batches', { batch: 'batch' }),
          },
          { name: 'first_end', title: 'First result', unit: 'dateTimeAsIso' },
          { name: 'last_end', title: 'Last result', unit: 'dateTimeAsIso' },
          { name: 'items', title: 'Items', unit: 'locale', decimals: 0 },
          {
            name: 'dead',
            title: 'Dead-lettered',
            unit: 'locale',
            decimals: 0,
            limits: worseAbove({
              amber: thresholds.deadLetters.suspiciousPerHour,
              red: thresholds.deadLetters.outagePerHour,
            }),
          },
          { name: 'spend', title: 'Spend', unit: 'currencyUSD' },
          { name: 'per_item', title: 'Per item', unit: 'currencyUSD' },
          {
            name: 'waste_share',
            title: 'Waste',
            unit: 'percentunit',
            decimals: 1,
            limits: worseAbove({
              amber: thresholds.budgets.wasteShare,
              red: thresholds.budgets.wasteOutageShare,
            }),
          },
          { name: 'calls_made', title: 'Calls', unit: 'locale', decimals: 0 },
          {
            name: 'unpriced',
            title: 'Unpriced',
            unit: 'locale',
            decimals: 0,
            limits: worseAbove({ red: 1 }),
          },
        ],
      }),
    ],
  },
  {
    title: 'How did they go?',
    panels: [
      timeSeries({
        title: 'Messages that ended, by batch',
        description:
          'Messages of each batch that ended in each interval. A batch that stops early is stuck, or done.',
        unit: 'short',
        width: 12,
        draw: 'bars',
        isStacked: true,
        queries: [
          sql(
            `SELECT $__timeInterval(ts) AS time, batch, count() AS messages FROM millrace.message_outcomes WHERE ${selected} GROUP BY time, batch ORDER BY time, batch`,
          ),
        ],
      }),
      timeSeries({
        title: 'Spend by batch',
        description: 'What each batch cost in each hour, or in each longer interval.',
        unit: 'currencyUSD',
        width: 12,
        draw: 'bars',
        isStacked: true,
        minInterval: '1h',
        queries: [
          sql(`
              SELECT $__timeInterval(part_time) AS time, batch, sum(part_cost) AS spend
              FROM (${spendPartsSql({ by: ['batch'], sums: ['cost'], where: ofBatches, hasTime: true })})
              GROUP BY time, batch ORDER BY time, batch
            `),
        ],
      }),
      barChart({
        title: 'Outcomes by batch',
        description: 'Messages of each batch by how they ended, every stage counted.',
        unit: 'short',
        width: 8,
        isStacked: true,
        colours: outcomeColours,
        nameColumn: 'batch',
        queries: [
          sql(`
              SELECT batch, countIf(outcome = 'completed') AS completed, countIf(outcome = 'dead_lettered') AS dead_lettered, countIf(outcome = 'cancelled') AS cancelled
              FROM millrace.message_outcomes WHERE ${selected} GROUP BY batch ORDER BY max(ts) DESC, batch LIMIT 12
            `),
        ],
      }),
      barGauge({
        title: 'Cost per item by batch',
        description:
          'Two runs of the same work should cost the same. If not, compare their models and their waste.',
        unit: 'currencyUSD',
        width: 8,
        min: 0,
        isPerRow: true,
        queries: [
          sql(`
              SELECT batch, toFloat64(${spent}) / nullIf(${items}, 0) AS per_item
              FROM millrace.usage WHERE ${selected} GROUP BY batch ORDER BY per_item DESC, batch LIMIT 12
            `),
        ],
      }),
      sqlTable({
        title: 'Batches by model',
        description: 'Which models the money of each batch went to.',
        unit: 'short',
        width: 8,
        query: sql(`
            SELECT batch, model, sum(part_cost) AS spend, sum(part_calls) AS calls_made
            FROM (${spendPartsSql({ by: ['batch', 'model'], sums: ['cost', 'calls'], where: ofBatches })})
            GROUP BY batch, model ORDER BY spend DESC, batch, model LIMIT 50
          `),
        columns: [
          { name: 'batch', title: 'Batch' },
          { name: 'model', title: 'Model', link: rowLink('Show the model', 'models', { model: 'model' }) },
          { name: 'spend', title: 'Spend', unit: 'currencyUSD', width: 90 },
          { name: 'calls_made', title: 'Calls', unit: 'locale', decimals: 0, width: 70 },
        ],
      }),
    ],
  },
];
