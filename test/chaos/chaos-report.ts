import { formatUsd } from '../../src/kernel/money.ts';
import { sumsOf } from './check-money.ts';
import type { Evidence } from './evidence.ts';
import type { InvariantResult } from './invariant-check.ts';
import { recoveryTimes } from './recovery-time.ts';
import type { ChaosRun } from './run-chaos.ts';

const shownViolations = 5;

/** The table of invariants, one a line. */
export function tableOf(results: readonly InvariantResult[]): string {
  const rows = results.map(({ name, says, checks, violations, unchecked, note }) => [
    name,
    says,
    unchecked === undefined ? String(checks) : '-',
    unchecked === undefined
      ? `${violations.length}${note === undefined ? '' : ` (${note})`}`
      : `not checked: ${unchecked}`,
  ]);
  const header = ['', 'invariant', 'checks', 'violations'];
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (column === 3 ? 0 : (row[column] ?? '').length))),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) =>
        column === 2 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return [header, ...rows].map(line).join('\n');
}

/** What the run was like: how much work, what struck, what it came to. */
export function summaryOf(run: ChaosRun): string {
  const { evidence } = run;
  const { messages, calls, bill } = evidence;
  const sums = sumsOf(evidence);
  const states = countBy(
    messages.filter(({ stage }) => stage !== ''),
    ({ state }) => state,
  );
  const oddMessages = messages.filter(({ data }) => data.odd !== 'none').length;
  const faults = countBy(bill, ({ fault }) => fault ?? 'none');
  const leases = messages.reduce((sum, { fencing_token: fencingToken }) => sum + fencingToken, 0);
  const times = recoveryTimes(evidence.history, run.deaths);
  return [
    `${evidence.acknowledged.size} admitted, ${messages.length} messages (${states}), ${leases} leases, ${calls.length} calls, ${run.seconds.toFixed(1)} s`,
    `${run.struck.filter(({ what }) => !what.startsWith(' ')).length} faults struck, ${run.unstruck} came too late, ${run.deaths.length} processes killed`,
    `ledger ${formatUsd(sums.ledgerUsd)}  ClickHouse ${formatUsd(sums.columnsUsd)}  bill ${formatUsd(sums.billedUsd)}`,
    `difference ${formatUsd(sums.differenceUsd)}, all of it in ${sums.unsettledCalls} unsettled and ${sums.estimatedCalls} estimated calls`,
    `parked: ${countBy(
      evidence.history.filter(({ parked_for: name }) => name !== null),
      ({ parked_for: name }) => (name ?? '').replace(/^(pause|provider_batch):.*/, '$1'),
    )}; ${calls.filter(({ fallback_from: from }) => from !== null).length} calls to fallbacks; ${messages.filter(({ version }) => version === 2).length} messages of release 2; ${evidence.pauses.length} pauses; ${evidence.replays.length} replays; ${evidence.cuts.length} cuts; budgets added up ${evidence.budgets.looks} times`,
    `billed in spite of a fault: ${faults}`,
    `${evidence.refusals.tried} admissions refused as they must be; ${oddMessages} messages with odd data; failed attempts: ${countBy(evidence.failures, ({ code }) => code.replace('MILLRACE_', ''))}`,
    `leases by process: ${countBy(
      evidence.history.filter(({ to_state: to, from_state: from }) => to === 'leased' && from !== to),
      ({ taken_by: worker }) => (worker ?? '-').replace(/\.\d+$/, ''),
    )}`,
    `reports: ${evidence.reports.answered} answered, longest ${seconds(evidence.reports.longestMs)}, refused: ${
      Object.entries(evidence.reports.refused)
        .map(([code, count]) => `${code} ${count}`)
        .join(', ') || 'none'
    }`,
    ...batchesText(evidence),
    ...evidence.outages.map(
      ({ fromMs, toMs, waiting, caughtUpMs }) =>
        `ClickHouse was away for ${seconds(toMs - fromMs)}: ${waiting} records waited for it, ${caughtUpMs === undefined ? 'and were not exported' : `exported within ${seconds(caughtUpMs)}`}`,
    ),
    times.length === 0
      ? 'no dead worker held a message'
      : `${times.length} messages of dead workers were taken over: median ${seconds(quantile(times, 0.5))}, p95 ${seconds(quantile(times, 0.95))}, longest ${seconds(quantile(times, 1))}`,
  ].join('\n');
}

/** How the batches ended, what was done to them, and what became of requests in providers' batches; nothing without batches. */
function batchesText({ batches, batchRun }: Evidence): readonly string[] {
  if (batchRun === undefined) return [];
  const ended = batches.rows.map(({ name, state }) => {
    const items = batches.items.filter(({ batch }) => batch === name);
    return `${name} ${state} (${countBy(items, (item) => item.state)})`;
  });
  const steered = batchRun.steered.map(
    ({ batch, what, isDone }) => `${what} ${batch}${isDone ? '' : ' (too late)'}`,
  );
  const outcomes = countBy(batches.providerRequests, ({ outcome }) => outcome ?? 'open');
  return [
    `batches: ${ended.join(', ')}; ${steered.join(', ') || 'none was steered'}`,
    `${batches.providerBatches.length} providers' batches, ${batchRun.simulated.length} of them accepted; their requests: ${outcomes || 'none'}`,
  ];
}

/** The head of a table with a row for each seed, in Markdown. */
export const rowsHeader = [
  '| seed | admitted | messages | calls | killed | faults | checks | violations | seconds | recovery: median, longest |',
  '| ---: | -------: | -------: | ----: | -----: | -----: | -----: | ---------: | ------: | -----------------------: |',
] as const;

export function rowOf(
  seed: number,
  admitted: number,
  run: ChaosRun,
  results: readonly InvariantResult[],
): string {
  const { evidence, deaths, struck } = run;
  const times = recoveryTimes(evidence.history, deaths);
  const cells = [
    seed,
    admitted,
    evidence.messages.length,
    evidence.calls.length,
    deaths.length,
    struck.filter(({ what }) => !what.startsWith(' ')).length,
    results.reduce((sum, { checks }) => sum + checks, 0),
    results.reduce((sum, { violations }) => sum + violations.length, 0),
    run.seconds.toFixed(0),
    times.length === 0 ? '-' : `${seconds(quantile(times, 0.5))}, ${seconds(quantile(times, 1))}`,
  ];
  return `| ${cells.join(' | ')} |`;
}

/** What was wrong, with the history of each message concerned. Empty when nothing was. */
export function violationsOf(results: readonly InvariantResult[], evidence: Evidence): string {
  const lines: string[] = [];
  for (const { name, violations } of results) {
    for (const { messageId, what } of violations.slice(0, shownViolations)) {
      lines.push(`${name}  ${messageId === undefined ? '' : `message ${messageId}: `}${what}`);
      if (messageId !== undefined)
        lines.push(...historyOf(messageId, evidence).map((text) => `      ${text}`));
    }
    if (violations.length > shownViolations)
      lines.push(`${name}  … and ${violations.length - shownViolations} more`);
  }
  return lines.join('\n');
}

/** Everything that is known to have happened to a message, in order of time. */
function historyOf(messageId: string, { history, calls, bill, outcomes }: Evidence): readonly string[] {
  const moments = [
    ...history
      .filter((change) => change.message_id === messageId)
      .map((change) => ({
        ms: change.at_ms,
        text: `${change.from_state ?? 'new'} → ${change.to_state}, fencing token ${change.to_fencing_token} ${change.taken_by ?? change.held_by ?? ''}`,
      })),
    ...calls
      .filter((call) => call.message_id === messageId)
      .flatMap((call) => [
        {
          ms: call.reserved_ms,
          text: `call ${call.id} ${call.step} reserved under fencing token ${String(call.fencing_token)}`,
        },
        ...(call.settled_ms === null
          ? []
          : [
              {
                ms: call.settled_ms,
                text: `call ${call.id} ${call.state}: ${String(call.outcome)}, ${String(call.settlement)}, ${String(call.cost_usd)} of at most ${String(call.upper_bound_usd)}`,
              },
            ]),
      ]),
    ...bill
      .filter((entry) => entry.messageId === messageId)
      .map((entry) => ({
        ms: Date.parse(entry.at),
        text: `billed ${entry.costUsd} for call ${String(entry.callId)}${entry.fault === null ? '' : ` (${entry.fault})`}`,
      })),
  ].toSorted((left, right) => left.ms - right.ms);
  const told = outcomes.filter((outcome) => outcome.message_id === messageId);
  return [
    ...moments.map(({ ms, text }) => `${new Date(ms).toISOString().slice(11, 23)}  ${text}`),
    ...told.map(({ outcome, deliveries }) => `ClickHouse: ${outcome} after ${deliveries} deliveries`),
  ];
}

function countBy<Item>(items: readonly Item[], nameOf: (item: Item) => string): string {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(nameOf(item), (counts.get(nameOf(item)) ?? 0) + 1);
  return [...counts]
    .toSorted(([left], [right]) => left.localeCompare(right))
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
