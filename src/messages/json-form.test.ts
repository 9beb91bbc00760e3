import { describe, expect, it } from 'vitest';
import { jsonForm } from './json-form.ts';

function faultsOf(data: unknown): readonly string[] {
  const form = jsonForm(data, 100);
  return form.kind === 'faults' ? form.faults.map(({ field }) => field) : [];
}

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level += 1) value = [value];
  return value;
}

describe('the JSON form of data', () => {
  it('is the data itself when JSON carries it, with its odd characters', () => {
    const data = { text: 'caf\ud83d \u0000', list: [1, null, { deep: true }], absent: undefined };
    expect(jsonForm(data)).toEqual({ kind: 'json', value: data, isSame: true });
  });

  it('is what toJSON answers: a date becomes text, for the schema to judge', () => {
    expect(jsonForm({ at: new Date(0) })).toEqual({
      kind: 'json',
      value: { at: '1970-01-01T00:00:00.000Z' },
      isSame: false,
    });
    expect(faultsOf({ at: new Date(Number.NaN) })).toEqual(['data.at']);
  });

  it('names by its path every value that JSON does not carry', () => {
    class Money {
      readonly amount = 1;
    }
    expect(
      faultsOf({
        big: 1n,
        map: new Map(),
        set: new Set(),
        list: [1, undefined],
        number: { none: Number.NaN, most: Infinity },
        call: () => 1,
        symbol: Symbol('s'),
        money: new Money(),
        pattern: /x/,
      }),
    ).toEqual([
      'data.big',
      'data.map',
      'data.set',
      'data.list.1',
      'data.number.none',
      'data.number.most',
      'data.call',
      'data.symbol',
      'data.money',
      'data.pattern',
    ]);
  });

  it('refuses cycles, deep nesting, __proto__ and what throws when it is read, with a fault and no exception', () => {
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    expect(faultsOf(cycle)).toEqual(['data.self']);
    expect(faultsOf(nested(100))).toEqual([]);
    expect(faultsOf(nested(5000))).toHaveLength(1);
    expect(faultsOf(JSON.parse('{"a":{"__proto__":{"x":1}}}'))).toEqual(['data.a.__proto__']);
    const hostile = {
      get trap(): never {
        throw new Error('no');
      },
    };
    expect(faultsOf(hostile)).toEqual(['data']);
    expect(
      faultsOf(
        new Proxy(
          {},
          {
            ownKeys: () => {
              throw new Error('no');
            },
          },
        ),
      ),
    ).toEqual(['data']);
  });
});
