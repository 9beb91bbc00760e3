import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { ManualClock } from '../../kernel/manual-clock.ts';
import { RequestTurns } from './request-turns.ts';

/* Each request takes 5 ms of a clock that the test sets: two fit into a turn. */

function taking(turns: RequestTurns, clock: ManualClock, begun: number[]): (number: number) => boolean {
  return (number) =>
    turns.take(() => {
      begun.push(number);
      clock.advance(5);
    });
}

it('begins requests that come at once in several turns, in the order in which they came', async () => {
  const clock = new ManualClock();
  const begun: number[] = [];
  const take = taking(new RequestTurns(clock), clock, begun);
  const numbers = Array.from({ length: 20 }, (_, number) => number);
  for (const number of numbers) take(number);
  expect(begun).toEqual([0, 1]);
  let most = 0;
  while (begun.length < numbers.length) {
    const before = begun.length;
    await nextTurn();
    most = Math.max(most, begun.length - before);
  }
  expect(begun).toEqual(numbers);
  expect(most).toBeLessThanOrEqual(4);
});

it('begins a request at once when nothing else does', async () => {
  const clock = new ManualClock();
  const begun: number[] = [];
  const take = taking(new RequestTurns(clock), clock, begun);
  for (const number of [1, 2, 3]) {
    take(number);
    expect(begun).toHaveLength(number);
    await nextTurn();
    await nextTurn();
  }
});

it('has no room for more than its limit', () => {
  const clock = new ManualClock();
  const turns = new RequestTurns(clock);
  const take = taking(turns, clock, []);
  const answers = Array.from({ length: turns.limit + 10 }, (_, number) => take(number));
  expect(answers.filter((hasTurn) => !hasTurn)).toHaveLength(8);
  expect(turns.takePeak()).toBe(turns.limit);
});
