import type { BatchReportDocument } from './report-document.ts';
import { renderReportHtml } from './report-html.ts';

/** The forms that a report has; the first one where none is asked for. */
export const reportForms = [
  {
    name: 'json',
    mediaType: 'application/json',
    render: (report: BatchReportDocument): string => `${JSON.stringify(report, undefined, 2)}\n`,
  },
  {
    name: 'html',
    mediaType: 'text/html',
    render: (report: BatchReportDocument) => renderReportHtml(report, { isServed: true }),
  },
] as const;
