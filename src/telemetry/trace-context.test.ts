import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  childTraceParent,
  formatTraceParent,
  newTraceParent,
  parseTraceParent,
  traceIdOf,
} from './trace-context.ts';

const hex = (length: number): fc.Arbitrary<string> =>
  fc
    .array(
      fc.integer({ min: 0, max: 15 }).map((digit) => digit.toString(16)),
      { minLength: length, maxLength: length },
    )
    .map((digits) => digits.join(''))
    .filter((text) => !/^0+$/.test(text));

describe('a trace context', () => {
  it('is new and valid each time', () => {
    const made = Array.from({ length: 10_000 }, newTraceParent);
    for (const traceParent of made) {
      expect(traceParent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    }
    expect(new Set(made.map(traceIdOf)).size).toBe(made.length);
  });

  it('survives writing and reading', () => {
    fc.assert(
      fc.property(hex(32), hex(16), fc.boolean(), (traceId, spanId, sampled) => {
        expect(parseTraceParent(formatTraceParent({ traceId, spanId, sampled }))).toEqual({
          traceId,
          spanId,
          sampled,
        });
      }),
    );
  });

  it('keeps the trace and the sampling decision in a child, under a new span id', () => {
    for (const flags of ['00', '01']) {
      const parent = `00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-${flags}`;
      const child = childTraceParent(parent);
      expect(child).toMatch(new RegExp(`^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-${flags}$`));
      expect(child).not.toBe(parent);
    }
  });

  it.each([
    '',
    'nonsense',
    '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331',
    '00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01',
    '00-00000000000000000000000000000000-b7ad6b7169203331-01',
    '00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01',
    '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more',
    'ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  ])('is refused when it is not valid: %s', (traceParent) => {
    expect(parseTraceParent(traceParent)).toBeUndefined();
    expect(traceIdOf(childTraceParent(traceParent))).toMatch(/^[0-9a-f]{32}$/);
  });

  it('is read from a later version of the format', () => {
    expect(traceIdOf('01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-09-extra')).toBe(
      '0af7651916cd43dd8448eb211c80319c',
    );
  });
});
