import type { ListedBlock } from '../../engine/ledger/blocks.ts';
import { formatCount, renderTable, type TableColumn } from '../../terminal/text-table.ts';

const columns: readonly TableColumn[] = [
  { title: 'held' },
  { title: 'since' },
  { title: 'by' },
  { title: 'waiting', align: 'right' },
  { title: 'under way' },
  { title: 'why' },
];

/** What is held, for the terminal; nothing when nothing is. */
export function holdTables(pauses: readonly ListedBlock[], leased: number): readonly string[] {
  const tables: string[] = [];
  if (pauses.length > 0) {
    const rows = pauses.map(({ scope, value, createdAt, actor, waiting, aborts, reason }) => [
      scope === 'all' ? 'all' : `${scope} ${value}`,
      createdAt.toISOString(),
      actor,
      formatCount(waiting),
      aborts ? 'aborted' : 'ends',
      reason,
    ]);
    tables.push(renderTable(columns, rows));
  }
  if (pauses.some(({ scope }) => scope === 'all')) {
    tables.push(
      leased === 0
        ? 'Drained: nothing is being worked on.'
        : `Draining: ${formatCount(leased)} messages are still being worked on.`,
    );
  }
  return tables;
}
