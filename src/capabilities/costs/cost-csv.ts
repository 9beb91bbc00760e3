import { costFigureNames, type CostReportDocument } from './cost-report-document.ts';

/*
 * A cost report as CSV (RFC 4180): a header line, then one line a group; without grouping, one line with the totals.
 * There is no line of totals among groups, because a spreadsheet would add it to the sum.
 */

/** What ends a line of CSV. */
export const lineEnd = '\r\n';
// What spreadsheets take for a formula at the beginning of a cell.
const formulaStart = /^[=+\-@\t\r\n]/;
const mustQuote = /["\r\n,]/;

export function renderCostCsv(report: CostReportDocument): string {
  const { groupBy, totals } = report;
  const extras = [
    ...(groupBy.length === 0 ? [] : (['share'] as const)),
    ...(report.previous === undefined ? [] : (['previousCostUsd', 'changeUsd', 'changeRatio'] as const)),
    ...(totals.completedMessages === undefined
      ? []
      : (['completedMessages', 'costPerCompletedUsd'] as const)),
  ];
  const cellsOf = (
    figures: CostReportDocument['totals'] & { readonly share?: string | undefined },
  ): string[] => {
    const known = { ...figures, previousCostUsd: figures.previous?.costUsd };
    return [...costFigureNames, ...extras].map((name) => cellOf(known[name]));
  };
  const header = [...groupBy, ...costFigureNames, ...extras];
  const rows =
    groupBy.length === 0
      ? [cellsOf(totals)]
      : report.groups.map((group) => [
          ...groupBy.map((field) => textCell(group.key[field] ?? '')),
          ...cellsOf(group),
        ]);
  return [header, ...rows].map((cells) => `${cells.join(',')}${lineEnd}`).join('');
}

/** A figure; empty when it was not asked for. */
function cellOf(figure: string | number | undefined): string {
  return figure === undefined ? '' : String(figure);
}

/** Text that came from outside, made harmless for spreadsheets by an apostrophe, and quoted where it must be. */
export function textCell(text: string): string {
  const harmless = formulaStart.test(text) ? `'${text}` : text;
  return mustQuote.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
