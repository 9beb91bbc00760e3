import type { ListedBlock } from '../../engine/ledger/blocks.ts';
import type { PauseList } from './pause-documents.ts';
import { formatCount, formatCounted, renderTable, type TableColumn } from '../../terminal/text-table.ts';

const columns: readonly TableColumn[] = [
  { title: 'paused' },
  { title: 'since' },
  { title: 'by' },
  { title: 'waiting', align: 'right' },
  { title: 'running' },
  { title: 'why' },
];

/** What is paused, as a table for the terminal. */
export function pauseTable(pauses: readonly (ListedBlock | PauseList['pauses'][number])[]): string {
  const rows = pauses.map(({ scope, value, createdAt, actor, waiting, aborts, reason }) => [
    scope === 'all' ? 'all' : `${scope} ${value}`,
    new Date(createdAt).toISOString(),
    actor,
    formatCount(waiting),
    aborts ? 'aborted' : 'ends',
    reason,
  ]);
  return renderTable(columns, rows);
}

/** What is paused, for the terminal; nothing when nothing is. */
export function pauseTables(pauses: readonly ListedBlock[], leased: number): readonly string[] {
  const tables: string[] = [];
  if (pauses.length > 0) tables.push(pauseTable(pauses));
  if (pauses.some(({ scope }) => scope === 'all')) {
    tables.push(
      leased === 0
        ? 'Drained: nothing is being worked on.'
        : `Draining: ${formatCounted(leased, 'message is', 'messages are')} still being worked on.`,
    );
  }
  return tables;
}
