import { describe, expect, it } from 'vitest';
import { usd } from '../../../kernel/money.ts';
import { beginsNothing, chooseMode, goesIntoBatch, type ModeQuestion } from './mode-choice.ts';

const hourMs = 3_600_000;
const beganAt = new Date('2026-01-01T00:00:00Z');
const inHours = (hours: number): Date => new Date(beganAt.getTime() + hours * hourMs);
const prices = { online: usd('10'), flex: usd('5'), provider: usd('5') };

const question = (parts: Partial<ModeQuestion> = {}): ModeQuestion => ({
  mode: 'auto',
  beganAt,
  deadline: undefined,
  hasBatches: true,
  hasFlex: true,
  prices,
  windowMs: 24 * hourMs,
  onlineMs: hourMs,
  ...parts,
});

describe('the mode of a batch', () => {
  it.each([
    ['no deadline', {}, 'provider'],
    ['a deadline that leaves the window and more', { deadline: inHours(25) }, 'provider'],
    ['a deadline that does not', { deadline: inHours(24.9) }, 'flex'],
    ['a near deadline and no flex', { deadline: inHours(3), hasFlex: false }, 'online'],
    ['no batches', { hasBatches: false }, 'flex'],
    ['neither', { hasBatches: false, hasFlex: false }, 'online'],
    ['a cheaper flex', { prices: { ...prices, flex: usd('4') } }, 'flex'],
    ['a batch that costs more', { prices: { ...prices, provider: usd('11') }, hasFlex: false }, 'online'],
    ['no known prices', { prices: { online: undefined, flex: undefined, provider: undefined } }, 'provider'],
  ] as const)('auto with %s', (_name, parts, mode) => {
    const choice = chooseMode(question(parts));
    expect(choice.mode).toBe(mode);
    expect(choice.reason).not.toBe('');
  });

  it('is what was asked for, unless the provider has no such thing', () => {
    expect(chooseMode(question({ mode: 'provider', deadline: inHours(1) })).mode).toBe('provider');
    expect(chooseMode(question({ mode: 'provider', hasBatches: false }))).toMatchObject({
      mode: 'online',
      reason: expect.stringContaining('cannot be used') as string,
    });
    expect(chooseMode(question({ mode: 'flex' })).mode).toBe('flex');
    expect(chooseMode(question({ mode: 'flex', hasFlex: false })).mode).toBe('online');
    expect(chooseMode(question({ mode: 'online' })).mode).toBe('online');
  });
});

describe('a call in the mode provider', () => {
  const call = {
    deferrals: 0,
    rounds: 3,
    deadline: undefined,
    now: beganAt,
    onlineMs: hourMs,
  };

  it.each([
    ['the first time', {}, true],
    ['after what passes', { deferrals: 2 }, true],
    ['after as many rounds as it may have', { deferrals: 3 }, false],
    ['long before its deadline', { deadline: inHours(2) }, true],
    ['shortly before its deadline', { deadline: inHours(1) }, false],
  ] as const)('%s', (_name, parts, isDeferred) => {
    expect(goesIntoBatch({ ...call, ...parts })).toBe(isDeferred);
  });
});

describe('the calls of a batch', () => {
  it.each([
    ['running', undefined, false],
    ['running', inHours(1), false],
    ['paused', inHours(0), true],
    ['cancelling', undefined, true],
    // Whoever has a dead letter of it run again wants its calls.
    ['succeeded', inHours(-1), false],
    ['cancelled', undefined, false],
  ] as const)('that is %s, with the deadline %s, are not begun any more: %s', (state, deadline, isSo) => {
    expect(beginsNothing({ state, deadline }, beganAt)).toBe(isSo);
  });
});
