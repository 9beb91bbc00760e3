import type { ListedHold } from '../../engine/ledger/holds.ts';
import { formatCount, renderTable, type TableColumn } from '../../terminal/text-table.ts';

const columns: readonly TableColumn[] = [
  { title: 'held' },
  { title: 'since' },
  { title: 'by' },
  { title: 'waiting', align: 'right' },
  { title: 'in the air' },
  { title: 'why' },
];

/** What is held, for the terminal; nothing when nothing is. */
export function holdTables(holds: readonly ListedHold[], leased: number): readonly string[] {
  const tables: string[] = [];
  if (holds.length > 0) {
    const rows = holds.map(({ scope, value, createdAt, actor, waiting, aborts, reason }) => [
      scope === 'all' ? 'all' : `${scope} ${value}`,
      createdAt.toISOString(),
      actor,
      formatCount(waiting),
      aborts ? 'aborted' : 'ends',
      reason,
    ]);
    tables.push(renderTable(columns, rows));
  }
  if (holds.some(({ scope }) => scope === 'all')) {
    tables.push(
      leased === 0
        ? 'Drained: nothing is being worked on.'
        : `Draining: ${formatCount(leased)} messages are still being worked on.`,
    );
  }
  return tables;
}
