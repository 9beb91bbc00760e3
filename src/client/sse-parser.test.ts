import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SseParser } from './sse-parser.ts';

const framesOf = (...pieces: readonly string[]) => {
  const parser = new SseParser();
  return pieces.flatMap((piece) => parser.push(piece));
};

describe('an event stream', () => {
  it('is read by its fields', () => {
    expect(
      framesOf(
        'retry: 2000\n\n: heartbeat\n\nid: 7\nevent: text-delta\ndata: {"a":1}\n\ndata:x\ndata\ndata:  y\n\n',
      ),
    ).toEqual([
      { id: '7', name: 'text-delta', data: '{"a":1}' },
      { id: '7', name: 'message', data: 'x\n\n y' },
    ]);
  });

  it('keeps an event that is not whole for itself', () => {
    expect(framesOf('id: 1\ndata: a\n')).toEqual([]);
    expect(framesOf('id: 1\ndata: a\n', '\n')).toEqual([{ id: '1', name: 'message', data: 'a' }]);
  });

  it('takes no id with U+0000, and passes unknown fields over', () => {
    expect(framesOf('id: 3\nid: 4\0\nnonsense: 5\ndata: a\n\n')).toEqual([
      { id: '3', name: 'message', data: 'a' },
    ]);
  });

  it('is the same in whatever pieces it comes, with whatever ends of lines', () => {
    const line = fc.oneof(
      fc.constantFrom(
        'data: a',
        'data',
        'event: progress',
        'id: 12',
        ': heartbeat',
        '',
        '',
        'id',
        'data: €😀',
      ),
      fc.string({ maxLength: 12 }).map((text) => text.replaceAll(/[\r\n]/g, '')),
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(line, fc.constantFrom('\n', '\r\n', '\r')), { maxLength: 30 }),
        fc.array(fc.nat({ max: 200 }), { maxLength: 12 }),
        (lines, cuts) => {
          const plain = lines.map(([text]) => `${text}\n`).join('');
          const text = lines.map((parts) => parts.join('')).join('');
          const places = [
            0,
            ...cuts.filter((cut) => cut < text.length).toSorted((a, b) => a - b),
            text.length,
          ];
          const pieces = places.slice(1).map((end, at) => text.slice(places[at], end));
          // "\r" and then "\n" of an empty line are one end of a line.
          fc.pre(
            !text.endsWith('\r') &&
              !lines.some(([, end], at) => end === '\r' && lines[at + 1]?.join('') === '\n'),
          );
          expect(framesOf(...pieces)).toEqual(framesOf(plain));
        },
      ),
    );
  });

  it('with an event without an end is not kept without an end', () => {
    const parser = new SseParser();
    const piece = `data: ${'x'.repeat(1_000_000)}\n`;
    expect(() => {
      for (let count = 0; count < 50; count += 1) parser.push(piece);
    }).toThrow(RangeError);
    const ofOneLine = new SseParser();
    expect(() => {
      for (let count = 0; count < 50; count += 1) ofOneLine.push('x'.repeat(1_000_000));
    }).toThrow(RangeError);
  });
});
