import { formatCount, renderTable, type TableColumn } from '../../terminal/text-table.ts';
import type { ModelLimitDocument } from './limit-documents.ts';

const columns: readonly TableColumn[] = [
  { title: 'model' },
  { title: 'requests a minute', align: 'right' },
  { title: 'tokens a minute', align: 'right' },
  { title: 'by' },
  { title: 'why' },
];

/** Limits of models as a table for the terminal. */
export function limitsText(limits: readonly ModelLimitDocument[]): string {
  if (limits.length === 0) return 'No model has a limit.';
  const rows = limits.map(({ model, inForce, set }) => [
    model,
    rateText(inForce.requestsPerMinute),
    rateText(inForce.tokensPerMinute),
    set === undefined ? 'configuration' : `${set.actor}, ${set.setAt}`,
    set?.reason ?? '',
  ]);
  return renderTable(columns, rows);
}

function rateText(perMinute: number | undefined): string {
  return perMinute === undefined ? 'no limit' : formatCount(perMinute);
}
