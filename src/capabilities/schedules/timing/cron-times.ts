import { Cron } from 'croner';

/*
 * Times of a cron expression in a time zone, by croner: it has no dependency, walks real time (so that a time is never met twice and none
 * is gone back over), and says what it does where clocks are changed:
 *
 *   without `*` or a step in seconds, minutes and hours ("30 2 * * *", "0 9,17 * * *"), a time of day: a time that is skipped is made
 *   up for at the first moment after the gap; one that comes twice counts once, the first time
 *   with one ("*\/15 * * * *"), an interval: it goes on through a repeated hour, and has nothing in a skipped one
 */

const maxLength = 200;
/** Fields of names, numbers, lists, ranges and steps. Not "?", which means the moment at which it was read, nor "@reboot". */
const form = /^[0-9A-Za-z*,/#+-]+(?: +[0-9A-Za-z*,/#+-]+){4,5}$/;
/** How many are kept read. */
const maxParsed = 2000;
const parsed = new Map<string, Cron>();

/** What is wrong with a cron expression; undefined when it can be read. Whether it ever has a time is asked by `cronAfter`. */
export function cronProblem(expression: string): string | undefined {
  if (expression.length > maxLength) return `has at most ${maxLength} characters`;
  if (!form.test(expression))
    return 'has five fields (minute, hour, day of the month, month, day of the week), or six with seconds first';
  try {
    cronOf(expression, 'UTC');
    return undefined;
  } catch (error) {
    return `cannot be read: ${error instanceof Error ? error.message.slice(0, 200) : 'not a cron expression'}`;
  }
}

/** The first time after a moment, both in milliseconds since 1970; undefined when there is none. */
export function cronAfter(expression: string, timeZone: string, ms: number): number | undefined {
  return cronOf(expression, timeZone).nextRun(new Date(ms))?.getTime();
}

/** The last `count` times before a moment, the earliest first. */
export function cronBefore(
  expression: string,
  timeZone: string,
  ms: number,
  count: number,
): readonly number[] {
  return cronOf(expression, timeZone)
    .previousRuns(count, new Date(ms))
    .map((time) => time.getTime())
    .toSorted((left, right) => left - right);
}

function cronOf(expression: string, timeZone: string): Cron {
  const key = `${timeZone} ${expression}`;
  const known = parsed.get(key);
  if (known !== undefined) return known;
  const cron = new Cron(expression, {
    paused: true,
    timezone: timeZone,
    mode: '5-or-6-parts',
    fixedTimeRule: 'no-wildcard',
  });
  if (parsed.size >= maxParsed) parsed.clear();
  parsed.set(key, cron);
  return cron;
}
