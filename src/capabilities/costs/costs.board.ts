import type { Board } from '../../../dashboards/board.ts';
import { boardUids, rowLink } from '../../../dashboards/board-links.ts';
import { barChart, pieChart, stat, timeSeries } from '../../../dashboards/charts.ts';
import { worseAbove } from '../../../dashboards/colour-limits.ts';
import type { SpendColumn } from './spend-rows.ts';
import { type SpendSum, spendSums, wasteReasonSql } from '../../engine/export/spend-sums.ts';
import { sql } from '../../../dashboards/data-queries.ts';
import { wasteColours } from '../../../dashboards/series-colours.ts';
import { spendPartsOfBothSql, spendPartsSql, usageTable } from './spend-queries.board.ts';
import { type Column, sqlTable } from '../../../dashboards/tables.ts';
import { thresholds } from '../../../dashboards/thresholds.ts';
import { chosen, type UsageDimension, usageVariables } from '../../../dashboards/variables.ts';

const dimensions: readonly UsageDimension[] = ['team', 'customer', 'feature', 'stage', 'model'];
const selected = chosen(dimensions);
const now = `$__timeFilter(ts) AND ${selected}`;
/** What an item is known by. */
const itemKey = "if(item = '', toString(root_id), item)";
/** Distinct items, within a percent or so where there are many: counting them one by one takes memory by their number. */
const items = `uniqCombined64(${itemKey})`;
/** None where calls were made without a price and nothing else cost anything: refused calls cost nothing, and are priced. */
const knownSpend = 'if(sum(part_cost) = 0 AND sum(part_unpriced) > 0, NULL, sum(part_cost))';
const parts = (sums: readonly SpendSum[], by: readonly SpendColumn[] = []): string =>
  `(${spendPartsSql({ by, sums, where: selected })})`;

const waste = worseAbove({ amber: thresholds.budgets.wasteShare, red: thresholds.budgets.wasteOutageShare });

const spend: Column = { name: 'spend', title: 'Spend', unit: 'currencyUSD', width: 90 };
const share: Column = { name: 'share', title: 'Share', unit: 'percentunit', decimals: 1, isBar: true };
const change: Column = {
  name: 'change',
  title: 'Against before',
  unit: 'percentunit',
  decimals: 0,
  width: 110,
};
const calls: Column = { name: 'calls_made', title: 'Calls', unit: 'locale', decimals: 0, width: 70 };
const wasteShare: Column = {
  name: 'waste_share',
  title: 'Waste',
  unit: 'percentunit',
  decimals: 1,
  width: 70,
  limits: waste,
};

/** The figures by one column, most expensive first: spend, share, change against the period before, calls, waste. */
function spendBy(dimension: SpendColumn): string {
  const rows = spendPartsOfBothSql({
    by: [dimension],
    sums: ['cost', 'waste', 'calls'],
    where: selected,
  });
  return `
    SELECT ${dimension}, sumIf(part_cost, is_now) AS spend,
      toFloat64(sumIf(part_cost, is_now)) / nullIf(toFloat64(sum(sumIf(part_cost, is_now)) OVER ()), 0) AS share,
      toFloat64(sumIf(part_cost, is_now)) / nullIf(toFloat64(sumIf(part_cost, NOT is_now)), 0) - 1 AS change,
      sumIf(part_calls, is_now) AS calls_made,
      toFloat64(sumIf(part_waste, is_now)) / nullIf(toFloat64(sumIf(part_cost, is_now)), 0) AS waste_share
    FROM (${rows})
    GROUP BY ${dimension} ORDER BY spend DESC, ${dimension} LIMIT 100
  `;
}

/** Spend in each hour, or in each longer interval, by one column. */
function spendOverTime(by: SpendColumn): string {
  const rows = spendPartsSql({ by: [by], sums: ['cost'], where: selected, hasTime: true });
  return `SELECT $__timeInterval(part_time) AS time, ${by}, sum(part_cost) AS spend FROM (${rows}) GROUP BY time, ${by} ORDER BY time, ${by}`;
}

export const costBoard: Board = {
  uid: boardUids.cost,
  title: 'Millrace / Costs',
  question: 'What does it cost, who pays, what is new, and what is wasted?',
  range: '7d',
  refresh: '1m',
  variables: usageVariables(dimensions),
  rows: [
    {
      title: 'How much?',
      panels: [
        stat({
          title: 'Spend',
          description: 'What all priced calls of the time range cost, to the last decimal of the ledger.',
          unit: 'currencyUSD',
          width: 4,
          queries: [sql(`SELECT sum(part_cost) AS spend FROM ${parts(['cost'])}`)],
        }),
        stat({
          title: 'Against the period before',
          description:
            'Spend in the time range by that of the equally long one before it, less one. Empty when nothing was spent then.',
          unit: 'percentunit',
          decimals: 0,
          width: 4,
          queries: [
            sql(`
              SELECT toFloat64(sumIf(part_cost, is_now)) / nullIf(toFloat64(sumIf(part_cost, NOT is_now)), 0) - 1 AS change
              FROM (${spendPartsOfBothSql({ sums: ['cost'], where: selected })})
            `),
          ],
        }),
        stat({
          title: 'Waste',
          description: 'Share of spend that bought nothing: failed, aborted, repeated calls.',
          unit: 'percentunit',
          decimals: 1,
          width: 4,
          limits: waste,
          queries: [
            sql(
              `SELECT toFloat64(sum(part_waste)) / nullIf(toFloat64(sum(part_cost)), 0) AS waste FROM ${parts(['cost', 'waste'])}`,
            ),
          ],
        }),
        stat({
          title: 'Cost per item',
          description: 'Spend by the distinct items that it was for.',
          unit: 'currencyUSD',
          width: 4,
          queries: [
            sql(
              `SELECT toFloat64(${spendSums.cost}) / nullIf(${items}, 0) AS per_item FROM ${usageTable} WHERE ${now}`,
            ),
          ],
        }),
        stat({
          title: 'Calls without a price',
          description:
            'Calls whose model has no known price: their cost is missing here until a price is added.',
          unit: 'locale',
          decimals: 0,
          width: 4,
          limits: worseAbove({ red: 1 }),
          queries: [sql(`SELECT sum(part_unpriced) AS unpriced FROM ${parts(['unpriced'])}`)],
        }),
        stat({
          title: 'Open exposure',
          description:
            'What calls of unknown outcome can have cost at most. It is in no sum until they are settled.',
          unit: 'currencyUSD',
          width: 4,
          queries: [sql(`SELECT sum(part_bound) AS exposure FROM ${parts(['bound'])}`)],
        }),
        timeSeries({
          title: 'Spend by team',
          description: 'What each team spent in each hour, or in each longer interval.',
          unit: 'currencyUSD',
          width: 12,
          height: 9,
          draw: 'bars',
          isStacked: true,
          minInterval: '1h',
          queries: [sql(spendOverTime('team'))],
        }),
        timeSeries({
          title: 'Spend by feature',
          description: 'What each feature cost in each hour, or in each longer interval.',
          unit: 'currencyUSD',
          width: 12,
          height: 9,
          draw: 'bars',
          isStacked: true,
          minInterval: '1h',
          queries: [sql(spendOverTime('feature'))],
        }),
      ],
    },
    {
      title: 'Who pays?',
      panels: [
        sqlTable({
          title: 'Teams',
          description:
            'Who pays, with their share, their change against the period before, and their waste. A click narrows the board.',
          unit: 'short',
          width: 12,
          height: 10,
          query: sql(spendBy('team')),
          columns: [
            { name: 'team', title: 'Team', link: rowLink('Only this team', 'cost', { team: 'team' }) },
            spend,
            share,
            change,
            calls,
            wasteShare,
          ],
        }),
        sqlTable({
          title: 'Customers',
          description: 'For whom it was spent.',
          unit: 'short',
          width: 12,
          height: 10,
          query: sql(spendBy('customer')),
          columns: [
            {
              name: 'customer',
              title: 'Customer',
              link: rowLink('Only this customer', 'cost', { customer: 'customer' }),
            },
            spend,
            share,
            change,
            calls,
            wasteShare,
          ],
        }),
      ],
    },
    {
      title: 'For what?',
      panels: [
        sqlTable({
          title: 'Features',
          description: 'What it was spent on.',
          unit: 'short',
          width: 12,
          height: 6,
          query: sql(spendBy('feature')),
          columns: [
            {
              name: 'feature',
              title: 'Feature',
              link: rowLink('Only this feature', 'cost', { feature: 'feature' }),
            },
            spend,
            share,
            change,
            calls,
            wasteShare,
          ],
        }),
        sqlTable({
          title: 'Stages that spend',
          description: 'Where in the pipelines the money goes.',
          unit: 'short',
          width: 12,
          height: 6,
          query: sql(spendBy('stage')),
          columns: [
            { name: 'stage', title: 'Stage', link: rowLink('Show the stage', 'stage', { stage: 'stage' }) },
            spend,
            share,
            change,
            calls,
            wasteShare,
          ],
        }),
        sqlTable({
          title: 'Models',
          description:
            'Which models were paid, with the price of a million tokens that came out of it. No amount: no price is known.',
          unit: 'short',
          width: 12,
          height: 7,
          query: sql(`
            SELECT model, ${knownSpend} AS spend, sum(part_input) AS tokens_in, sum(part_output) AS tokens_out,
              toFloat64(${knownSpend}) * 1e6 / nullIf(sum(part_input) + sum(part_output), 0) AS usd_per_million
            FROM ${parts(['cost', 'unpriced', 'input', 'output'], ['model'])} GROUP BY model ORDER BY spend DESC, model LIMIT 50
          `),
          columns: [
            { name: 'model', title: 'Model', link: rowLink('Show the model', 'models', { model: 'model' }) },
            spend,
            { name: 'tokens_in', title: 'Tokens in', width: 90 },
            { name: 'tokens_out', title: 'Tokens out', width: 90 },
            { name: 'usd_per_million', title: 'Per million', unit: 'currencyUSD', width: 95 },
          ],
        }),
        sqlTable({
          title: 'Batches',
          description: 'The most expensive batches. Their items and outcomes are on the board of batches.',
          unit: 'short',
          width: 12,
          height: 7,
          query: sql(`
            SELECT batch, ${spendSums.cost} AS spend, ${items} AS items, toFloat64(${spendSums.cost}) / nullIf(${items}, 0) AS per_item
            FROM ${usageTable} WHERE ${now} AND batch != '' GROUP BY batch ORDER BY spend DESC, batch LIMIT 50
          `),
          columns: [
            { name: 'batch', title: 'Batch', link: rowLink('Show the batch', 'batches', { batch: 'batch' }) },
            spend,
            { name: 'items', title: 'Items', unit: 'locale', decimals: 0, width: 70 },
            { name: 'per_item', title: 'Per item', unit: 'currencyUSD', width: 90 },
          ],
        }),
        barChart({
          title: 'Concentration',
          description:
            'Which share of the items makes which share of the spend. A short first bar is an even load; a long one, a few items to look at.',
          unit: 'percentunit',
          width: 12,
          min: 0,
          max: 1,
          colours: { 'share of spend': 'blue' },
          nameColumn: 'items',
          queries: [
            sql(`
              SELECT concat('most expensive ', toString(percent), ' %') AS items,
                toFloat64(sumIf(item_spend, place <= ceil(items_total * percent / 100))) / nullIf(toFloat64(any(spend_total)), 0) AS "share of spend"
              FROM (
                SELECT item_spend, row_number() OVER (ORDER BY item_spend DESC) AS place, count() OVER () AS items_total, sum(item_spend) OVER () AS spend_total
                FROM (SELECT cityHash64(${itemKey}) AS item_key, ${spendSums.cost} AS item_spend FROM ${usageTable} WHERE ${now} GROUP BY item_key)
              )
              ARRAY JOIN [1, 5, 10, 20, 50] AS percent
              GROUP BY percent ORDER BY percent
            `),
          ],
        }),
        sqlTable({
          title: 'Most expensive items',
          description: 'The items that cost most, over all their stages and attempts.',
          unit: 'short',
          width: 12,
          query: sql(`
            SELECT ${itemKey} AS item_key, min(customer) AS of_customer, ${spendSums.cost} AS spend, ${spendSums.calls} AS calls_made
            FROM ${usageTable} WHERE ${now} GROUP BY item_key ORDER BY spend DESC, item_key LIMIT 20
          `),
          columns: [
            { name: 'item_key', title: 'Item' },
            { name: 'of_customer', title: 'Customer', width: 120 },
            spend,
            calls,
          ],
        }),
      ],
    },
    {
      title: 'What was paid for, and what is wasted or unknown?',
      panels: [
        pieChart({
          title: 'Spend by kind of token',
          description:
            'What the money was paid for. Cached input costs a fraction of other input; reasoning is billed as output and is not in the answer.',
          unit: 'currencyUSD',
          width: 8,
          queries: [
            sql(`
              SELECT kind, sum(amount) AS spend
              FROM ${usageTable}
              ARRAY JOIN
                ['input', 'cache read', 'cache write', 'media', 'text output', 'reasoning', 'requests'] AS kind,
                [cost_uncached_input, cost_cache_read, cost_cache_write_5m + cost_cache_write_1h,
                 cost_audio_input + cost_image_input + cost_audio_output + cost_image_output,
                 cost_text_output, cost_reasoning, cost_request] AS amount
              WHERE ${now} GROUP BY kind HAVING spend > 0 ORDER BY spend DESC, kind
            `),
          ],
        }),
        timeSeries({
          title: 'Waste by reason',
          description: 'Spend that bought nothing, in each hour or longer interval, by why.',
          unit: 'currencyUSD',
          width: 8,
          colours: wasteColours,
          draw: 'bars',
          isStacked: true,
          minInterval: '1h',
          queries: [
            sql(`
              SELECT $__timeInterval(part_time) AS time, ${wasteReasonSql} AS reason, sum(part_waste) AS spend
              FROM (${spendPartsSql({ by: ['waste_reason'], sums: ['waste'], where: `${selected} AND waste_reason != ''`, hasTime: true })})
              GROUP BY time, reason ORDER BY time, reason
            `),
          ],
        }),
        sqlTable({
          title: 'Usage without a price',
          description:
            'Models that were called without a known price. `millrace prices` says how to add one; corrections follow by themselves.',
          unit: 'short',
          width: 8,
          query: sql(`
            SELECT provider, model, ${spendSums.unpriced} AS unpriced, ${spendSums.input} AS tokens_in, ${spendSums.output} AS tokens_out
            FROM ${usageTable} WHERE ${now} AND unpriced_calls != 0
            GROUP BY provider, model HAVING unpriced > 0 ORDER BY unpriced DESC, provider, model
          `),
          columns: [
            { name: 'provider', title: 'Provider', width: 75 },
            { name: 'model', title: 'Model' },
            {
              name: 'unpriced',
              title: 'Calls',
              unit: 'locale',
              decimals: 0,
              width: 60,
              limits: worseAbove({ red: 1 }),
            },
            { name: 'tokens_in', title: 'Tokens in', width: 75 },
            { name: 'tokens_out', title: 'Tokens out', width: 80 },
          ],
        }),
      ],
    },
  ],
};
