import { usd } from '../../../kernel/money.ts';
import {
  formatCount,
  formatCounted,
  renderTable,
  roundedUsd,
  type TableColumn,
} from '../../../terminal/text-table.ts';
import type { BatchEstimate } from './estimate-document.ts';

/* What a batch is expected to cost, for the terminal. */

const left = (title: string): TableColumn => ({ title });
const right = (title: string): TableColumn => ({ title, align: 'right' });

export function estimateText(estimate: BatchEstimate): string {
  const { items, inputTokens, inputBytes, sample, caps, notes } = estimate;
  const basis =
    sample === undefined
      ? 'Nothing is known of what such items cost.'
      : `By ${formatCounted(sample.messages, 'message')} of late, of ${formatCount(sample.averageBytes)} bytes on average; the items have ${formatCount(sample.averageBytesOfItems)}.`;
  return [
    `${formatCounted(items, 'item')}, ${formatCounted(inputBytes, 'byte')} of data, about ${formatCounted(inputTokens, 'token')}`,
    basis,
    ...(caps === undefined ? [] : [capsText(caps)]),
    ...section('Cost by mode', modeTable(estimate)),
    ...section('By model', modelTable(estimate)),
    ...section('At most, one call of each model an item', boundTable(estimate)),
    ...section('Budgets', budgetTable(estimate)),
    '',
    ...notes.map((note) => `Note: ${note}`),
  ].join('\n');
}

const capWords = {
  truncate: ['is cut', 'are cut'],
  fail: ['fails without a call', 'fail without a call'],
  skip: ['is left out', 'are left out'],
} as const;

function capsText(caps: NonNullable<BatchEstimate['caps']>): string {
  const { action, boundTokens, items, tokensBefore, tokensAfter, savedUsd } = caps;
  const saved = savedUsd === undefined ? '' : `, which saves about ${roundedUsd(usd(savedUsd))} USD`;
  return `${formatCounted(items, 'item')} of more than ${formatCounted(boundTokens, 'token')} ${capWords[action][items === 1 ? 0 : 1]}: ${formatCount(tokensBefore)} tokens become ${formatCount(tokensAfter)}${saved}.`;
}

function section(title: string, table: string | undefined): readonly string[] {
  return table === undefined ? [] : ['', title, table];
}

function modeTable({ modes }: BatchEstimate): string | undefined {
  if (modes.length === 0) return undefined;
  const rows = modes.map(({ mode, totalUsd, itemUsd, unpriced }) => [
    mode,
    amount(totalUsd?.p50),
    amount(totalUsd?.p90),
    amount(itemUsd?.p50),
    amount(itemUsd?.p90),
    unpriced.join(', '),
  ]);
  return renderTable(
    [
      left('mode'),
      ...['USD p50', 'USD p90', 'an item p50', 'an item p90'].map(right),
      left('without a price'),
    ],
    rows,
  );
}

function modelTable({ models }: BatchEstimate): string | undefined {
  if (models.length === 0) return undefined;
  const rows = models.map(({ model, callsPerItem, inputTokens, outputTokens, costUsd }) => [
    model,
    callsPerItem.toFixed(2),
    formatCount(inputTokens.p50),
    formatCount(outputTokens.p50),
    amount(costUsd.online?.p50),
    amount(costUsd.flex?.p50),
    amount(costUsd.provider?.p50),
  ]);
  const columns = [
    'calls an item',
    'input tokens',
    'output tokens',
    'online USD',
    'flex USD',
    'provider USD',
  ];
  return renderTable([left('model'), ...columns.map(right)], rows);
}

function boundTable({ upperBounds }: BatchEstimate): string | undefined {
  if (upperBounds === undefined || upperBounds.length === 0) return undefined;
  return renderTable(
    [left('model'), right('USD')],
    upperBounds.map(({ model, totalUsd }) => [model, amount(totalUsd)]),
  );
}

function budgetTable({ budgets }: BatchEstimate): string | undefined {
  if (budgets.length === 0) return undefined;
  const rows = budgets.map(({ name, unit, left: room, limit, atLimit, windowEndsAt, fits }) => [
    name,
    `${unit === 'usd' ? roundedUsd(usd(room)) : formatCount(room)} of ${limit} ${unit === 'usd' ? 'USD' : 'tokens'}`,
    windowEndsAt,
    atLimit,
    fits === undefined ? 'not known' : fits ? 'yes' : 'NO',
  ]);
  return renderTable([left('budget'), right('left'), left('until'), left('then'), left('fits')], rows);
}

function amount(text: string | undefined): string {
  return text === undefined ? 'not known' : roundedUsd(usd(text));
}
