import { formatUsd, type Usd } from '../../kernel/money.ts';
import {
  formatCount,
  renderTable,
  roundedUsd,
  type TableColumn,
  tableDigits,
  formatCounted,
} from '../../terminal/text-table.ts';
import { type DemoReport, type StageReport, usdPerSuccess } from './demo-report.ts';
import { findDisagreements } from './demo-verdict.ts';

const right = (title: string): TableColumn => ({ title, align: 'right' });

/** The report for the terminal: who pays, what the stages did, what was most expensive, and whether the sums agree. */
export function reportText(report: DemoReport): string {
  return [
    'Who pays',
    teamTable(report),
    '',
    'Stages',
    stageTable(report.stages),
    'in: messages that came; out: messages done; failed: attempts that failed; times of the handler in milliseconds; waste: what bought nothing.',
    '',
    `The ${report.items.length} most expensive documents`,
    itemTable(report),
    '',
    `Amounts in tables are rounded to ${tableDigits} digits; these are exact:`,
    ...sumLines(report),
    '',
    ...callLines(report),
  ].join('\n');
}

function teamTable({ teams }: DemoReport): string {
  const columns = [
    { title: 'team' },
    right('USD'),
    right('calls'),
    right('tokens in'),
    right('tokens out'),
    right('messages'),
  ];
  const row = (name: string, figures: DemoReport['teams']['total']): string[] => [
    name,
    roundedUsd(figures.costUsd),
    formatCount(figures.calls),
    formatCount(figures.inputTokens),
    formatCount(figures.outputTokens),
    formatCount(figures.messages ?? 0),
  ];
  const rows = teams.groups.map(({ group, ...figures }) => row(group.team ?? '', figures));
  return renderTable(columns, [...rows, row('total', teams.total)]);
}

function stageTable(stages: readonly StageReport[]): string {
  const columns = [
    { title: 'stage' },
    ...['in', 'out', 'failed', 'dead', 'p50', 'p95', 'p99', 'tokens/success', 'USD/success', 'waste USD'].map(
      right,
    ),
  ];
  const rows = stages.map((stage) => [
    stage.stage,
    formatCount(stage.messages),
    formatCount(stage.succeeded),
    formatCount(stage.failedAttempts),
    formatCount(stage.deadLettered),
    formatCount(stage.p50Ms),
    formatCount(stage.p95Ms),
    formatCount(stage.p99Ms),
    stage.succeeded === 0
      ? ''
      : formatCount(Math.round(Number(stage.inputTokens + stage.outputTokens) / stage.succeeded)),
    roundedUsd(usdPerSuccess(stage)),
    roundedUsd(stage.wasteUsd),
  ]);
  return renderTable(columns, rows);
}

function itemTable({ items }: DemoReport): string {
  const columns = [{ title: 'document' }, { title: 'team' }, right('USD'), right('calls')];
  return renderTable(
    columns,
    items.map(({ item, team, usd, calls }) => [item, team, roundedUsd(usd), formatCount(calls)]),
  );
}

function sumLines(report: DemoReport): string[] {
  const { billedUsd, ledgerUsd, attributedUsd, bounds } = report;
  const amounts: (readonly [string, Usd])[] = [
    ...(billedUsd === undefined ? [] : [["the provider's own bill", billedUsd] as const]),
    ['the ledger', ledgerUsd],
    ['ClickHouse', attributedUsd],
  ];
  const isOpen = !bounds.lowerUsd.equals(bounds.upperUsd);
  if (isOpen)
    amounts.push(["the provider's bill is at least", bounds.lowerUsd], ['and at most', bounds.upperUsd]);
  const disagreements = findDisagreements(report);
  const verdict =
    isOpen && billedUsd !== undefined
      ? 'The sums agree: the bill lies within the bounds.'
      : 'The sums agree to the last digit.';
  return [
    alignedAmounts(amounts),
    ...(disagreements.length === 0 ? [verdict] : ['THE SUMS DO NOT AGREE:', ...disagreements]),
  ];
}

/** Amounts with their points one below the other. */
function alignedAmounts(amounts: readonly (readonly [string, Usd])[]): string {
  const parts = amounts.map(([name, amount]) => {
    const [whole = '0', fraction = ''] = formatUsd(amount).split('.');
    return { name, whole, fraction };
  });
  const widest = (lengths: readonly number[]): number => Math.max(...lengths);
  const nameWidth = widest(parts.map(({ name }) => name.length));
  const wholeWidth = widest(parts.map(({ whole }) => whole.length));
  const fractionWidth = widest(parts.map(({ fraction }) => fraction.length));
  return parts
    .map(({ name, whole, fraction }) => {
      const point = fraction === '' ? ' ' : '.';
      return `  ${name.padEnd(nameWidth)}  ${whole.padStart(wholeWidth)}${point}${fraction.padEnd(fractionWidth)} USD`;
    })
    .join('\n');
}

function callLines({ status, reusedCalls, originCoverage, documents, seconds }: DemoReport): string[] {
  const { calls, messages } = status;
  const open = calls.unsettled + calls.reserved;
  return [
    `${formatCounted(documents, 'document')}, ${formatCounted(messages.completed, 'message')} completed, ${formatCounted(messages.dead_lettered, 'dead letter')}, in ${seconds.toFixed(1)} s`,
    `${formatCounted(calls.calls, 'call')}: ${formatCount(calls.failed)} failed, ${formatCount(calls.estimated)} estimated, ${formatCount(open)} unsettled; ${formatCount(reusedCalls)} steps reused a recorded answer in this process`,
    `Every cent has an owner: ${(originCoverage * 100).toFixed(2)} % of the records carry a complete origin`,
  ];
}
