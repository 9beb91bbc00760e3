import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { derivedId, isUuid, newId, timeOfId } from './ids.ts';

const at = new Date('2026-03-01T12:00:00.123Z');
const times = fc.date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true });

describe('a new id', () => {
  it('is a version 7 UUID of its time', () => {
    fc.assert(
      fc.property(times, (now) => {
        const id = newId(now);
        expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        expect(timeOfId(id)).toEqual(now);
      }),
    );
  });

  it('is never the same twice, across refills of its random pool', () => {
    const ids = Array.from({ length: 2_000 }, () => newId(at));
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('sorts by time', () => {
    fc.assert(
      fc.property(times, times, (left, right) => {
        fc.pre(left.getTime() !== right.getTime());
        expect(newId(left) < newId(right)).toBe(left < right);
      }),
    );
  });
});

describe('a derived id', () => {
  it('is a version 8 UUID of its time', () => {
    const id = derivedId(at, 'message', 'step', '1');
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(timeOfId(id)).toEqual(at);
  });

  it('does not change between releases', () => {
    expect(derivedId(at, 'message', 'step', '1')).toBe('019ca945-0a7b-8ac2-9fec-060dbc6f171f');
  });

  it('is the same for the same parts and another for any others', () => {
    const parts = fc.array(fc.string(), { maxLength: 4 });
    fc.assert(
      fc.property(parts, parts, (left, right) => {
        const isSame = JSON.stringify(left) === JSON.stringify(right);
        expect(derivedId(at, ...left) === derivedId(at, ...right)).toBe(isSame);
      }),
    );
  });

  it('tells apart parts that run together to the same text', () => {
    expect(derivedId(at, 'ab', 'c')).not.toBe(derivedId(at, 'a', 'bc'));
    expect(derivedId(at, 'a')).not.toBe(derivedId(at, 'a', ''));
    expect(derivedId(at, '1:a')).not.toBe(derivedId(at, '', 'a'));
  });
});

describe('isUuid', () => {
  it('accepts what is made here', () => {
    expect(isUuid(newId(at))).toBe(true);
    expect(isUuid(derivedId(at, 'x'))).toBe(true);
  });

  it.each([
    '',
    'x',
    '018f3a3e-0000-7000-8000-00000000000',
    '018F3A3E-0000-7000-8000-000000000000',
    '018f3a3e00007000800000000000000000',
    ' 018f3a3e-0000-7000-8000-000000000000',
    '018f3a3e-0000-7000-8000-000000000000\n',
  ])('refuses %j', (text) => {
    expect(isUuid(text)).toBe(false);
  });
});
