import type { ListedHold } from '../../engine/ledger/holds.ts';
import { formatCount, renderTable, type TableColumn } from '../../terminal/text-table.ts';

/** What it reads of the state of an installation. */
interface HeldWork {
  readonly holds: readonly ListedHold[];
  readonly parked: Readonly<Record<string, number>>;
  readonly messages: { readonly leased: number };
}

const columns: readonly TableColumn[] = [
  { title: 'held' },
  { title: 'since' },
  { title: 'by' },
  { title: 'waiting', align: 'right' },
  { title: 'in the air' },
  { title: 'why' },
];

/** What is held and what waits, for the terminal; nothing when there is none. */
export function holdLines({ holds, parked, messages }: HeldWork): readonly string[] {
  const lines: string[] = [];
  if (holds.length > 0) {
    const rows = holds.map(({ scope, value, createdAt, actor, waiting, aborts, reason }) => [
      scope === 'all' ? 'all' : `${scope} ${value}`,
      createdAt.toISOString(),
      actor,
      formatCount(waiting),
      aborts ? 'aborted' : 'ends',
      reason,
    ]);
    lines.push('', renderTable(columns, rows));
  }
  if (holds.some(({ scope }) => scope === 'all')) {
    lines.push(
      '',
      messages.leased === 0
        ? 'Drained: nothing is being worked on.'
        : `Draining: ${formatCount(messages.leased)} messages are still being worked on.`,
    );
  }
  const waiting = Object.entries(parked).map(([reason, count]) => `${formatCount(count)} for a ${reason}`);
  if (waiting.length > 0) lines.push('', `Messages put aside: ${waiting.join(', ')}`);
  return lines;
}
