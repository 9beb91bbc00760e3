import type { Command } from 'commander';
import { readStatusByParts, type StatusByParts } from '../host/host-status.ts';
import { statusDocument } from '../host/status-document.ts';
import type { RecentCalls } from '../engine/ledger/recent-calls.ts';
import { formatUsd } from '../kernel/money.ts';
import {
  type Bind,
  type CommandContext,
  exitCodes,
  print,
  type StoreOptions,
  withStoreOptions,
} from '../terminal/command-context.ts';
import { configurationOf } from './configuration-of.ts';
import { formatCount, formatCounted, renderTable, type TableColumn } from '../terminal/text-table.ts';
import { waitLines } from './waits-text.ts';

interface StatusOptions extends StoreOptions {
  readonly json?: boolean;
}

/** `millrace status`: messages by stage, what is paused, calls, and what the ledger says they cost. */
export function addStatusCommand(program: Command, context: CommandContext, bind: Bind): void {
  withStoreOptions(program.command('status'))
    .description('messages by stage and state, what is paused, calls, and what they cost')
    .option('--json', 'one JSON object')
    .action(bind((options: StatusOptions) => showStatus(context, options)));
}

async function showStatus(context: CommandContext, options: StatusOptions): Promise<number> {
  const { withExistingLedger } = await import('../host/operator-ledger.ts');
  const configuration = configurationOf(context, options);
  const status = await withExistingLedger(configuration, (database, { clock, isBesideHost }) =>
    // An embedded ledger has one host, which would have lent it; of a server's it is not known.
    readStatusByParts({
      database,
      clock,
      hasNoHost: configuration.ledger.url === undefined && !isBesideHost,
    }),
  );
  print(
    context,
    options.json === true ? JSON.stringify(statusDocument(status), undefined, 2) : statusText(status),
  );
  return exitCodes.ok;
}

const columns: readonly TableColumn[] = [
  { title: 'stage' },
  { title: 'owner' },
  { title: 'pending', align: 'right' },
  { title: 'working', align: 'right' },
  { title: 'completed', align: 'right' },
  { title: 'dead', align: 'right' },
  { title: 'cancelled', align: 'right' },
  { title: 'oldest due (s)', align: 'right' },
];

function statusText({ engine, parts }: StatusByParts): string {
  const { messages: all, stages, calls, lastHour, unexportedRecords, parked, waits } = engine;
  const rows = stages.map(({ stage, owner, messages, oldestSeconds }) => [
    stage === '' ? '(outputs)' : stage,
    owner,
    formatCount(messages.pending),
    formatCount(messages.leased),
    formatCount(messages.completed),
    formatCount(messages.dead_lettered),
    formatCount(messages.cancelled),
    messages.pending === 0 ? '' : Math.max(0, oldestSeconds).toFixed(1),
  ]);
  const open = calls.reserved + calls.unsettled;
  return [
    rows.length === 0 ? 'No messages.' : renderTable(columns, rows),
    '',
    `Calls: ${formatCount(calls.calls)}, of these ${formatCount(calls.failed)} failed, ${formatCount(calls.estimated)} estimated, ${formatCount(calls.unpriced)} unpriced, ${formatCount(open)} open`,
    `Spent: ${formatUsd(calls.settledUsd)} USD${open === 0 ? '' : `, and at most ${formatUsd(calls.openUpperUsd)} USD more by open calls`}`,
    ...lastHourLines(lastHour),
    `Not exported yet: ${formatCounted(unexportedRecords, 'record')}`,
    ...parts.flatMap(({ lines = [] }) => lines),
    ...parts.flatMap(({ tables }) => tables?.(all) ?? []).flatMap((table) => ['', table]),
    ...parkedLines(parked),
    ...waitLines(waits),
  ].join('\n');
}

/** What an hour's calls wasted and how they failed: by these an operator knows what to look at. */
function lastHourLines({ wasted, failing }: RecentCalls): readonly string[] {
  const waste = wasted.map(({ reason, calls, costUsd, openUpperUsd }) => {
    const open = openUpperUsd.isZero() ? '' : ` and at most ${formatUsd(openUpperUsd)} USD more`;
    return `${formatUsd(costUsd)} USD${open} by ${formatCounted(calls, 'call')} (${reason})`;
  });
  const failures = failing.map(
    ({ provider, model, errorType, calls }) =>
      `${provider}/${model} ${errorType} ${formatCount(calls)} times`,
  );
  return [
    `Wasted in the last hour: ${waste.length === 0 ? 'nothing' : waste.join(', ')}`,
    ...(failures.length === 0 ? [] : [`Failed in the last hour: ${failures.join(', ')}`]),
  ];
}

function parkedLines(parked: Readonly<Record<string, number>>): readonly string[] {
  const waiting = Object.entries(parked).map(
    ([reason, count]) =>
      `${formatCount(count)} for ${/^[aeiou]/.test(reason) ? 'an' : 'a'} ${reason.replaceAll('_', ' ')}`,
  );
  return waiting.length === 0 ? [] : ['', `Messages put aside: ${waiting.join(', ')}`];
}
