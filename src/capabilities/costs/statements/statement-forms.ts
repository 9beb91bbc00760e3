import { renderStatementCsv } from './statement-csv.ts';
import type { StatementDocument } from './statement-document.ts';
import { renderStatementHtml } from './statement-html.ts';

/** The forms that a statement has; the first one where none is asked for. */
export const statementForms = [
  {
    name: 'json',
    mediaType: 'application/json',
    render: (statement: StatementDocument): string => `${JSON.stringify(statement, undefined, 2)}\n`,
  },
  { name: 'csv', mediaType: 'text/csv', render: renderStatementCsv },
  { name: 'html', mediaType: 'text/html', render: renderStatementHtml },
] as const;
