import type { WaitReport } from '../host/wait-reports.ts';
import { formatCount } from '../terminal/text-table.ts';

/** Why work waits, three lines a reason; nothing when none does. */
export function waitLines(waits: readonly WaitReport[]): readonly string[] {
  if (waits.length === 0) return [];
  return ['', 'Why work waits:', ...waits.flatMap((wait) => linesOf(wait))];
}

/** Waits whose time is that of the next try, which may be put off again. */
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
      ? 'no end by itself'
      : `${triedAgain.has(reason) ? 'tried again at' : 'until'} ${until}`,
  ].join(', ');
  return [
    `  ${reason}${about === undefined ? '' : ` (${about})`}: ${counted}, ${times}`,
    `    ${why}`,
    `    To change it: ${change}`,
  ];
}
