import type { MessageCost } from './message-costs.ts';
import { usd } from '../../kernel/money.ts';
import type {
  MessageData,
  MessageList,
  MessageSummaryDocument,
  MessageTree,
  Steered,
} from './message-documents.ts';
import {
  formatCount,
  formatCounted,
  renderTable,
  roundedUsd,
  type TableColumn,
} from '../../terminal/text-table.ts';

import { itemName } from '../../terminal/item-name.ts';

/* Messages for the terminal. */

const right = (title: string): TableColumn => ({ title, align: 'right' });
const left = (title: string): TableColumn => ({ title });

export function messageListText({ messages, next }: MessageList): string {
  const more = next === undefined ? [] : ['', `There are more: --after ${next}`];
  if (messages.length === 0) return ['There are no such messages.', ...more].join('\n');
  const columns = [
    ...['id', 'item', 'written', 'stage', 'state', 'team', 'customer'].map(left),
    ...['attempts', 'calls', 'USD'].map(right),
  ];
  const rows = messages.map((message) => [
    message.id,
    itemName(message.item),
    message.createdAt,
    stageOf(message),
    stateOf(message),
    message.origin.team,
    message.origin.customer,
    formatCount(message.attempts),
    formatCount(message.calls),
    spentText(message),
  ]);
  return [renderTable(columns, rows), ...more].join('\n');
}

/** Everything about one message. */
export interface MessageStory {
  readonly account: MessageCost;
  readonly content: MessageData;
  readonly tree: MessageTree;
}

export function messageText({ account, content, tree }: MessageStory): string {
  const { origin, cost } = account;
  const facts = [
    ['message', account.id],
    ['state', account.errorCode === undefined ? account.state : `${account.state} by ${account.errorCode}`],
    ['stage', account.stage === '' ? '(output)' : `${account.stage} of ${account.pipeline}`],
    [
      'origin',
      [
        `team ${origin.team}`,
        `customer ${origin.customer}`,
        `feature ${origin.feature}`,
        ...(origin.batch === undefined ? [] : [`batch ${origin.batch}`]),
      ].join(', '),
    ],
    ['event', `${account.eventId} from ${account.source}, ${account.type} version ${account.version}`],
    ['item', account.item],
    ['trace', account.traceParent],
    ['written', account.createdAt],
    ['ended', account.finishedAt ?? ''],
    ['attempts', `${account.attempts} failed, ${account.deliveries} deliveries`],
    ['cost', `${cost.costUsd} USD in ${formatCounted(cost.calls, 'call')}${openText(cost)}`],
  ].filter(([, value]) => value !== '');
  return [
    ...facts.map(([name = '', value = '']) => `${name.padEnd(11)}${value}`),
    ...failureSection(account),
    ...callSection(account),
    '',
    'Tree: what it followed from, and what followed',
    treeText(tree, account.id),
    '',
    'Data',
    content.dataProblem === undefined
      ? JSON.stringify(content.data, undefined, 2)
      : `${content.dataProblem.code}: ${content.dataProblem.message}`,
    ...(content.result === undefined ? [] : ['', 'Result', JSON.stringify(content.result, undefined, 2)]),
  ].join('\n');
}

function openText({ unpricedCalls, unsettledCalls, openUpperBoundUsd }: MessageCost['cost']): string {
  const open = [
    ...(unsettledCalls === 0 ? [] : [`${unsettledCalls} not settled`]),
    ...(unpricedCalls === 0 ? [] : [`${unpricedCalls} without a price`]),
  ];
  return open.length === 0 ? '' : `; ${open.join(', ')}, ${boundText(openUpperBoundUsd)}`;
}

function boundText(bound: string): string {
  return usd(bound).isZero() ? 'without a bound' : `at most ${bound} USD`;
}

/** What a message cost; never a bare 0 where the cost of some call is unknown. */
function spentText({
  costUsd,
  unpricedCalls,
  unsettledCalls,
  openUpperBoundUsd,
}: Pick<
  MessageSummaryDocument,
  'costUsd' | 'unpricedCalls' | 'unsettledCalls' | 'openUpperBoundUsd'
>): string {
  const known = usd(costUsd);
  if (unpricedCalls + unsettledCalls === 0) return roundedUsd(known);
  const bound = usd(openUpperBoundUsd);
  const open = bound.isZero() ? 'unknown' : `unknown, at most ${roundedUsd(bound)}`;
  return known.isZero() ? open : `${roundedUsd(known)} + ${open}`;
}

function failureSection({ failures }: MessageCost): readonly string[] {
  if (failures.length === 0) return [];
  const rows = failures.map(({ at, code, retryable }) => [at, code, retryable ? 'yes' : 'no']);
  return ['', 'Failed attempts and expired leases', renderTable(['at', 'code', 'again'].map(left), rows)];
}

function callSection({ calls }: MessageCost): readonly string[] {
  if (calls.length === 0) return [];
  const rows = calls.map((call) => [
    call.reservedAt,
    `${call.step} ${call.attempt}`,
    `${call.provider}/${call.model}`,
    [call.state, call.outcome ?? '', call.errorType ?? '', call.cascadeVerdict ?? '']
      .filter((part) => part !== '')
      .join(' '),
    Object.entries(call.tokens ?? {})
      .map(([kind, count]) => `${kind} ${formatCount(count)}`)
      .join(', '),
    call.durationMs === undefined ? '' : formatCount(call.durationMs),
    call.costUsd ?? (call.upperBoundUsd === undefined ? 'unknown' : `unknown, at most ${call.upperBoundUsd}`),
    call.id,
  ]);
  const columns = [
    ...['at', 'step', 'model', 'state', 'tokens'].map(left),
    right('ms'),
    right('USD'),
    left('call'),
  ];
  return ['', 'Calls, newest first', renderTable(columns, rows)];
}

/** The tree by indents; the message that was asked for is marked. */
function treeText({ messages, isCut }: MessageTree, asked: string): string {
  const children = Map.groupBy(messages, ({ parentId }) => parentId);
  const known = new Set(messages.map(({ id }) => id));
  const rows: string[][] = [];
  // By a stack of its own: a chain may be longer than calls may be nested.
  const open = messages
    .filter(({ parentId }) => parentId === undefined || !known.has(parentId))
    .map((message) => ({ message, depth: 0 }))
    .toReversed();
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { message, depth } = next;
    rows.push([
      `${'  '.repeat(Math.min(depth, 20))}${stageOf(message)}${message.id === asked ? ' *' : ''}`,
      message.id,
      stateOf(message),
      message.createdAt,
      message.waitMs === undefined ? '' : formatCount(message.waitMs),
      message.runMs === undefined ? '' : formatCount(message.runMs),
      formatCount(message.calls),
      spentText(message),
    ]);
    const below = (children.get(message.id) ?? []).map((child) => ({ message: child, depth: depth + 1 }));
    open.push(...below.toReversed());
  }
  const columns = [
    ...['stage', 'id', 'state', 'written'].map(left),
    ...['waited ms', 'ran ms', 'calls', 'USD'].map(right),
  ];
  return `${renderTable(columns, rows)}${isCut ? `\nThere are more than these ${messages.length}.` : ''}`;
}

function stageOf({ stage, type }: MessageSummaryDocument): string {
  return stage === '' ? `(output ${type})` : stage;
}

function stateOf({ state, errorCode, waitsFor }: MessageSummaryDocument): string {
  const why = errorCode ?? waitsFor;
  return why === undefined ? state : `${state} (${why})`;
}

export function steeredText(
  done: 'cancelled' | 'made due now',
  { dryRun, count, stages, hasMore, actionId, skipped }: Steered,
): string {
  const rows = stages.map((stage) => [stage.stage, stage.owner, formatCount(stage.count)]);
  return [
    ...(rows.length === 0 ? [] : [renderTable([left('stage'), left('owner'), right('messages')], rows), '']),
    `${dryRun ? `${formatCounted(count, 'message')} would be` : formatCounted(count, 'message was', 'messages were')} ${done}${hasMore ? ', and there are more (--max)' : ''}${dryRun ? '; nothing was changed' : ''}.${actionId === undefined ? '' : ` Audit record: ${actionId}`}`,
    ...skipped.map(({ id, reason, todo }) => `${id} was left as it is (${reason}): ${todo}`),
  ].join('\n');
}
