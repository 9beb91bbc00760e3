import { lineEnd, textCell } from '../cost-csv.ts';
import { costFigureNames } from '../cost-report-document.ts';
import { type StatementDocument, statementSections } from './statement-document.ts';

/*
 * A statement as CSV (RFC 4180): a line for each row of each section, whose name comes first, and one for the totals. Sum up
 * one section only: each is the whole month, but for the corrections of earlier months, which are in all of them.
 */

const figures = costFigureNames.filter((name) => name !== 'messages');
const header = [
  'section',
  'name',
  'provider',
  ...figures,
  'share',
  'previousCostUsd',
  'changeUsd',
  'changeRatio',
];

export function renderStatementCsv({ totals, sections, corrections }: StatementDocument): string {
  const lines = statementSections.flatMap((section) =>
    (sections[section]?.rows ?? []).map(({ key, ...row }) => {
      const { provider = '', ...names } = key;
      return [section, textCell(Object.values(names)[0] ?? ''), textCell(provider), ...cellsOf(row)];
    }),
  );
  const corrected = corrections.map(({ month, ...row }) => [
    'corrections',
    textCell(month),
    '',
    ...cellsOf(row),
  ]);
  return [header, ['totals', '', '', ...cellsOf(totals)], ...corrected, ...lines]
    .map((cells) => `${cells.join(',')}${lineEnd}`)
    .join('');
}

function cellsOf(row: StatementDocument['totals'] & { readonly share?: string | undefined }): string[] {
  const { share = '', previous, changeUsd = '', changeRatio = '' } = row;
  return [
    ...figures.map((name) => String(row[name])),
    share,
    previous?.costUsd ?? '',
    changeUsd,
    changeRatio,
  ];
}
