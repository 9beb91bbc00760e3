import type { WaitReport } from '../host/wait-reports.ts';
import { formatCount } from '../terminal/text-table.ts';

/** Why work waits, three lines a reason; nothing when none does. */
export function waitLines(waits: readonly WaitReport[]): readonly string[] {
  if (waits.length === 0) return [];
  return ['', 'Why work waits:', ...waits.flatMap((wait) => linesOf(wait))];
}

/** Waits whose time is that of the next try, which may be put off again. */
/** What ends a wait of which no row says when: each has its own time limit, or none. */
const endsByLimit: ReadonlyMap<WaitReport['reason'], string> = new Map([
  ['event', 'until it comes, or the time limit of the wait is over'],
]);

const triedAgain: ReadonlySet<WaitReport['reason']> = new Set([
  'retry',
  'retry_after',
  'retry_budget',
  'version',
]);

function linesOf({
  reason,
  about,
  messages,
  isAtLeast,
  stages,
  since,
  until,
  why,
  change,
}: WaitReport): string[] {
  const of = stages.length === 0 ? '' : ` of ${stages.join(', ')}`;
  const counted = `${isAtLeast ? 'more than ' : ''}${formatCount(messages)} ${messages === 1 ? 'message' : 'messages'}${of}`;
  const times = [
    ...(since === undefined ? [] : [`since ${since}`]),
    until === undefined
      ? (endsByLimit.get(reason) ?? 'no end by itself')
      : `${triedAgain.has(reason) ? 'tried again at' : 'until'} ${until}`,
  ].join(', ');
  return [
    `  ${reason}${about === undefined ? '' : ` (${about})`}: ${counted}, ${times}`,
    `    ${why}`,
    `    To change it: ${change}`,
  ];
}
