import { usd } from '../../../kernel/money.ts';
import {
  formatCount,
  renderTable,
  roundedUsd,
  type TableColumn,
  tableDigits,
} from '../../../terminal/text-table.ts';
import type {
  DifferenceDocument,
  ReconciliationDocument,
  ReconciliationListDocument,
  ReconciliationReport,
  RowDocument,
} from './reconciliation-document.ts';

/* Reconciliations at the terminal. */

const right = 'right' as const;
const moneyColumns: readonly TableColumn[] = [
  { title: 'ledger USD', align: right },
  { title: 'bill USD', align: right },
];

/** What a bill was found to say. */
export function reportText(report: ReconciliationReport): string {
  const days = report.days.map((day) => [
    day.day,
    day.state,
    roundedUsd(usd(day.ledgerUsd)),
    roundedUsd(usd(day.billUsd)),
    roundedUsd(usd(day.residualUsd)),
  ]);
  const rows = report.days.flatMap((day) =>
    day.rows.filter(({ isReconciled }) => !isReconciled).flatMap((row) => rowLines(day.day, row)),
  );
  return [
    renderTable(
      [{ title: 'day' }, { title: 'state' }, ...moneyColumns, { title: 'residual USD', align: right }],
      days,
    ),
    '',
    ...(rows.length === 0 ? [] : [renderTable(rowColumns, rows), '']),
    `Ledger ${report.ledgerUsd} USD ${report.differences.map((one) => signed(one)).join(' ')} = bill ${report.billUsd} USD, exactly.`,
    `Amounts in tables are rounded to ${tableDigits} digits.`,
    ...report.proven.map(({ callId, costUsd, isSettled }) =>
      isSettled
        ? `Settled call ${callId} at ${costUsd} USD.`
        : `Call ${callId} is unsettled, and the bill says that it cost ${costUsd} USD: --settle settles it.`,
    ),
    ...(report.exportLagSeconds > 0
      ? [
          `Reports are ${formatCount(Math.ceil(report.exportLagSeconds))} s behind: what is younger is not compared.`,
        ]
      : []),
  ].join('\n');
}

/** Days that were compared. */
export function listText({ reconciliations, truncated }: ReconciliationListDocument): string {
  if (reconciliations.length === 0) return 'No day was compared with a bill.';
  const rows = reconciliations.map((day) => [
    day.day,
    day.provider,
    day.supersededAt === undefined ? day.state : `${day.state} (superseded)`,
    roundedUsd(usd(day.ledgerUsd)),
    roundedUsd(usd(day.billUsd)),
    roundedUsd(usd(day.residualUsd)),
    day.differences.map(({ cause }) => cause).join(', '),
    day.id,
  ]);
  return [
    renderTable(
      [
        { title: 'day' },
        { title: 'provider' },
        { title: 'state' },
        ...moneyColumns,
        { title: 'residual USD', align: right },
        { title: 'causes' },
        { title: 'id' },
      ],
      rows,
    ),
    ...(truncated ? ['There are more.'] : []),
  ].join('\n');
}

/** One day, row by row. */
export function dayText(day: ReconciliationDocument): string {
  return [
    `${day.provider}, ${day.day} (UTC): ${day.state}. ${day.form}; accounts ${day.accounts.join(', ')}.`,
    '',
    renderTable(
      rowColumns,
      day.rows.flatMap((row) => rowLines(day.day, row)),
    ),
    '',
    `Ledger ${day.ledgerUsd} USD ${day.differences.map((one) => signed(one)).join(' ')} = bill ${day.billUsd} USD, exactly.`,
  ].join('\n');
}

const rowColumns: readonly TableColumn[] = [
  { title: 'day' },
  { title: 'model' },
  { title: 'tier' },
  { title: 'kind' },
  ...moneyColumns,
  { title: 'cause' },
  { title: 'difference USD', align: right },
  { title: 'requests', align: right },
  { title: 'calls' },
];

function rowLines(day: string, row: RowDocument): readonly (readonly string[])[] {
  const start = [
    day,
    row.model,
    row.tier ?? '',
    row.name ?? row.meter,
    roundedUsd(usd(row.ledgerUsd)),
    roundedUsd(usd(row.billUsd)),
  ];
  if (row.differences.length === 0) return [[...start, '', '', '', '']];
  return row.differences.map((one, index) => [
    ...(index === 0 ? start : start.map(() => '')),
    one.cause,
    roundedUsd(usd(one.usd)),
    one.requests === undefined ? '' : String(one.requests),
    callsText(one),
  ]);
}

function callsText({ callIds = [] }: DifferenceDocument): string {
  const [first] = callIds;
  if (first === undefined) return '';
  return callIds.length === 1 ? first : `${first} and ${callIds.length - 1} more`;
}

function signed({ cause, usd: amount }: DifferenceDocument): string {
  return amount.startsWith('-') ? `- ${amount.slice(1)} (${cause})` : `+ ${amount} (${cause})`;
}
