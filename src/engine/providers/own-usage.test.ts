import { describe, expect, it } from 'vitest';
import { type AnswerToRead, ownReading, type ReadUsage } from './own-usage.ts';

const answer: AnswerToRead = {
  usage: { spent: { in: 20, out: 4 } },
  body: undefined,
  headers: undefined,
  providerMetadata: undefined,
};

function read(result: unknown) {
  return ownReading({ readUsage: (() => result) as unknown as ReadUsage }, answer);
}

describe('usage that a provider in code reads itself', () => {
  it('is what its reader says of the answer', () => {
    const readUsage: ReadUsage = ({ usage }) => {
      const { spent } = usage as { spent: { in: number; out: number } };
      return {
        tokens: { uncached_input: spent.in, text_output: spent.out },
        units: { web_search: 2 },
        tier: 'flex',
        geography: 'us',
      };
    };
    expect(ownReading({ readUsage }, answer)).toEqual({
      usage: {
        input: { uncached_input: 20 },
        output: { text_output: 4 },
        units: { web_search: 2 },
        faults: [],
      },
      tier: 'flex',
      geography: 'us',
    });
  });

  it('is left to others without a reader, and when it says nothing', () => {
    expect(ownReading({}, answer)).toBeUndefined();
    expect(read(undefined)).toBeUndefined();
  });

  it('counts a half as not reported when no class of it is named', () => {
    expect(read({ tokens: { uncached_input: 0 } })?.usage).toEqual({
      input: { uncached_input: 0 },
      output: undefined,
      faults: [],
    });
  });

  it.each([
    ['nothing that is a reading', 'many', 'no tokens by class'],
    ['a promise', Promise.resolve({ tokens: { uncached_input: 1 } }), 'no tokens by class'],
    ['tokens as a list', { tokens: [1] }, 'no tokens by class'],
    ['a class that nobody knows', { tokens: { prompt: 3 } }, 'prompt is no name'],
    ['a count as text', { tokens: { uncached_input: '3' } }, 'uncached_input is no number'],
    ['a negative count', { tokens: { uncached_input: -1 } }, 'uncached_input is -1'],
    ['no number', { tokens: { text_output: Number.NaN } }, 'text_output is NaN'],
    ['a fraction', { tokens: { text_output: 1.5 } }, 'text_output is 1.5'],
    ['an endless count', { tokens: { text_output: Infinity } }, 'text_output is Infinity'],
    ['a use that nobody knows', { tokens: { text_output: 1 }, units: { magic: 1 } }, 'magic is no name'],
  ])('marks %s as a fault', (_, result, fault) => {
    const { usage } = read(result) ?? { usage: undefined };
    expect(usage?.faults.join('; ')).toContain(fault);
    for (const count of Object.values({ ...usage?.input, ...usage?.output })) {
      expect(Number.isSafeInteger(count) && count >= 0).toBe(true);
    }
  });

  it('marks a reader that throws, at bounded length, and never fails', () => {
    const readUsage: ReadUsage = () => {
      throw new Error('x'.repeat(10_000));
    };
    const { usage } = ownReading({ readUsage }, answer) ?? { usage: undefined };
    expect(usage).toMatchObject({ input: undefined, output: undefined });
    expect(usage?.faults[0]).toMatch(/^readUsage failed: x/);
    expect(usage?.faults[0]?.length).toBe(200);
    const hostile = Object.fromEntries(Array.from({ length: 1000 }, (_value, index) => [`class${index}`, 1]));
    expect(read({ tokens: hostile })?.usage.faults).toHaveLength(8);
  });

  it.each(['', 'x'.repeat(65), 'a\u0000b', 7])('does not take %j for a tier', (tier) => {
    expect(read({ tokens: { text_output: 1 }, tier })?.tier).toBeUndefined();
  });
});
