import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { estimateInputTokens } from '../../../engine/providers/input-estimate.ts';
import { truncateMember } from './truncate-member.ts';

describe('a text that is cut', () => {
  it('leaves data of at most so many tokens, with as much of the text as fits', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 400 }),
        fc.integer({ min: 8, max: 60 }),
        (text, tokens) => {
          const cut = truncateMember({ id: 1, body: { text } }, '/body/text', tokens);
          if (cut.kind !== 'cut') throw new Error(cut.problem);
          expect(estimateInputTokens('', cut.json)).toBeLessThanOrEqual(tokens);
          const kept = (JSON.parse(cut.json) as { body: { text: string } }).body.text;
          expect(text.startsWith(kept)).toBe(true);
          expect(kept.isWellFormed()).toBe(true);
          // A character as JSON is six of them at most, and one of two units twelve.
          if (kept !== text) expect(cut.json.length).toBeGreaterThan(tokens * 4 - 12);
        },
      ),
    );
  });

  it.each([
    ['/text', { text: 7 }, 'no text'],
    ['/text', {}, 'no text'],
    ['/a/0/text', { a: [] }, 'no text'],
    ['/toString', {}, 'no text'],
    ['/text', { text: 'x', rest: 'y'.repeat(100) }, 'more than 10 tokens without'],
  ])('is not there: %s of %j', (pointer, data, problem) => {
    expect(truncateMember(data, pointer, 10)).toMatchObject({
      kind: 'impossible',
      problem: expect.stringContaining(problem) as string,
    });
  });

  it('is found through lists and escaped names', () => {
    const data = { 'a/b': [{ '~': 'x'.repeat(100) }] };
    expect(truncateMember(data, '/a~1b/0/~0', 10)).toMatchObject({ kind: 'cut' });
    expect(data['a/b'][0]?.['~'].length).toBeLessThan(30);
  });
});
