import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { usd } from '../../kernel/money.ts';
import { type BudgetFigures, isExhausted, releaseCount, roomOf } from './budget-room.ts';

function figures(
  limit: string,
  spent: string,
  reserved: string,
  more: { readonly least?: string; readonly refused?: string } = {},
): BudgetFigures {
  return {
    limit: usd(limit),
    spent: usd(spent),
    reserved: usd(reserved),
    leastAsked: more.least === undefined ? undefined : usd(more.least),
    leastRefused: more.refused === undefined ? undefined : usd(more.refused),
  };
}

describe('an exhausted budget', () => {
  it.each([
    ['nothing is left', figures('1', '1', '0'), true],
    ['more was spent than its limit is now', figures('1', '3', '0'), true],
    [
      'what is left does not take the smallest call asked for',
      figures('1', '0.95', '0', { least: '0.06' }),
      true,
    ],
    ['the smallest call still fits', figures('1', '0.94', '0', { least: '0.06' }), false],
    ['the rest is merely reserved', figures('1', '0.2', '0.8', { least: '0.06' }), false],
    ['nothing was asked for yet', figures('1', '0', '0'), false],
  ])('%s', (_, state, expected) => {
    expect(isExhausted(state)).toBe(expected);
  });
});

describe('how many messages go on', () => {
  it.each([
    ['none without room', figures('1', '0.5', '0.5'), Infinity, 0],
    ['none without room, whatever they need', figures('1', '1.5', '0', { refused: '0' }), Infinity, 0],
    ['ten when nobody knows what they need', figures('1', '0', '0'), 0, 10],
    ['as many as may fit', figures('10', '0', '0', { refused: '0.1' }), 0, 100],
    ['ten at least', figures('1', '0.9', '0', { refused: '0.1' }), 0, 10],
    ['a thousand at most', figures('1000000', '0', '0', { refused: '0.000001' }), 0, 1000],
    ['none when what last asked would not fit', figures('1', '0.95', '0', { refused: '0.1' }), 29_999, 0],
    [
      'now and then some all the same: others may need less',
      figures('1', '0.95', '0', { refused: '0.1' }),
      30_000,
      10,
    ],
  ])('%s', (_, state, sinceMs, expected) => {
    expect(releaseCount(state, sinceMs)).toBe(expected);
  });

  it('is never more than a thousand, and never any without room', () => {
    const mills = fc.integer({ min: 0, max: 100_000 }).map((n) => usd(String(n)).times('0.001'));
    fc.assert(
      fc.property(
        mills,
        mills,
        mills,
        fc.option(mills, { nil: undefined }),
        fc.nat(),
        (limit, spent, reserved, refused, since) => {
          const state = {
            limit,
            spent,
            reserved,
            leastAsked: undefined,
            leastRefused: refused,
          };
          const count = releaseCount(state, since);
          expect(Number.isInteger(count) && count >= 0 && count <= 1000).toBe(true);
          if (!roomOf(state).greaterThan(0)) expect(count).toBe(0);
        },
      ),
    );
  });
});
