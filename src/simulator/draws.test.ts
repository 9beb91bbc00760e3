import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, drawInteger, drawLogNormal, Draws, requestHash } from './draws.ts';

describe('draws', () => {
  it('are the same for the same key and purpose, and differ otherwise', () => {
    const first = (key: string, purpose: string): number => new Draws(7, key).stream(purpose)();
    expect(first('a', 'x')).toBe(first('a', 'x'));
    expect(new Set([first('a', 'x'), first('b', 'x'), first('a', 'y')]).size).toBe(3);
  });

  it('lie evenly in [0, 1)', () => {
    const random = new Draws(1, 'even').stream('test');
    const values = Array.from({ length: 20_000 }, random);
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...values)).toBeLessThan(1);
    expect(values.reduce((sum, value) => sum + value, 0) / values.length).toBeCloseTo(0.5, 1);
    expect(values.filter((value) => value < 0.05).length / values.length).toBeCloseTo(0.05, 2);
  });

  it('are even over keys for one purpose, too', () => {
    const hits = Array.from({ length: 20_000 }, (_, key) => new Draws(1, key).stream('fault:0:1')()).filter(
      (value) => value < 0.05,
    );
    expect(hits.length / 20_000).toBeCloseTo(0.05, 2);
  });

  it('reach both ends of a range of integers', () => {
    const random = new Draws(1, 'ends').stream('test');
    expect(new Set(Array.from({ length: 200 }, () => drawInteger(random, 3, 5)))).toEqual(new Set([3, 4, 5]));
  });

  it('have the median and the 99th percentile asked for', () => {
    const random = new Draws(1, 'latency').stream('test');
    const values = Array.from({ length: 20_000 }, () => drawLogNormal(random, 25, 80)).toSorted(
      (a, b) => a - b,
    );
    expect(values[10_000]).toBeGreaterThan(24);
    expect(values[10_000]).toBeLessThan(26);
    expect(values[19_800]).toBeGreaterThan(74);
    expect(values[19_800]).toBeLessThan(87);
    expect(drawLogNormal(random, 0, 80)).toBe(0);
  });
});

describe('the hash of a request', () => {
  it('does not depend on the order of keys, but on everything else', () => {
    const hash = requestHash('/p', { a: 1, b: [{ c: 'x', d: null }] });
    expect(requestHash('/p', { b: [{ d: null, c: 'x' }], a: 1 })).toBe(hash);
    expect(requestHash('/q', { a: 1, b: [{ c: 'x', d: null }] })).not.toBe(hash);
    expect(requestHash('/p', { a: 1, b: [{ c: 'y', d: null }] })).not.toBe(hash);
  });

  it('is taken of JSON that says the same', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const plain: unknown = JSON.parse(JSON.stringify(value));
        expect(JSON.parse(canonicalJson(plain))).toEqual(plain);
      }),
    );
  });
});
