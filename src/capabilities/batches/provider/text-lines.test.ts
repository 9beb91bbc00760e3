import fc from 'fast-check';
import { expect, it } from 'vitest';
import { allOf } from '../../../../test/support/all-of.ts';
import { textLines } from './text-lines.ts';

async function* inPieces(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

const line = fc.string({ unit: 'grapheme', maxLength: 12 }).map((text) => text.replaceAll('\n', ''));

it('lines come out as they went in, however they are cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(line),
      fc.integer({ min: 1, max: 7 }),
      fc.boolean(),
      async (lines, size, isEnded) => {
        const text = lines.join('\n') + (isEnded ? '\n' : '');
        const read = await allOf(textLines(inPieces(text, size), 1000));
        expect(read).toEqual(lines.filter((each) => each.trim() !== ''));
      },
    ),
  );
});

it('a line beyond the limit is told apart, and the next one is read', async () => {
  const text = `${'x'.repeat(50)}\nshort\n${'y'.repeat(11)}`;
  expect(await allOf(textLines(inPieces(text, 3), 10))).toEqual([undefined, 'short', undefined]);
});
