import { describe, expect, it } from 'vitest';
import { derivedId } from '../../../kernel/ids.ts';
import { BatchValidators } from './batch-validators.ts';
import { CheckTurns, type RunningCheck } from './check-turns.ts';
import { qualitySchema, strataOf } from './quality-settings.ts';

describe('the validators of a process', () => {
  const validator = { validate: () => ({ ok: true }) };

  it('are found by name, and refused with every fault where a name is none or that of two', () => {
    const validators = new BatchValidators();
    validators.register([{ name: 'one', validator }]);
    expect([validators.find('one'), validators.find('two'), validators.names]).toEqual([
      validator,
      undefined,
      ['one'],
    ]);
    expect(() => validators.register(['one', '', 'a\u0000'].map((name) => ({ name, validator })))).toThrow(
      expect.objectContaining({
        code: 'MILLRACE_CONFIG_INVALID',
        faults: [
          { field: 'batchValidators.one', problem: 'two validators have this name' },
          expect.objectContaining({ field: 'batchValidators.' }),
          expect.objectContaining({ field: 'batchValidators.a\u0000' }),
        ],
      }),
    );
  });
});

describe('the settings of a quality gate', () => {
  it('check a hundred items at most, all of which have to pass, unless they say otherwise', () => {
    expect(qualitySchema.parse({ validator: 'v' })).toEqual({
      validator: 'v',
      sample: { size: 100, share: 100 },
      minimum: 100,
    });
  });

  it.each([
    ['customer', { by: 'customer', label: undefined }],
    ['team', { by: 'team', label: undefined }],
    ['label:tier', { by: 'label', label: 'tier' }],
    [undefined, { by: 'none', label: undefined }],
  ])('stratify by %s', (stratify, strata) => {
    expect(strataOf(qualitySchema.parse({ validator: 'v', sample: { stratify } }))).toEqual(strata);
  });

  it.each([
    { validator: '' },
    { validator: 'v', minimum: 101 },
    { validator: 'v', sample: { size: 0 } },
    { validator: 'v', sample: { size: 10_001 } },
    { validator: 'v', sample: { share: -1 } },
    { validator: 'v', sample: { stratify: 'label:' } },
    { validator: 'v', sample: { stratify: 'feature' } },
  ])('refuse %j', (quality) => {
    expect(qualitySchema.safeParse(quality).success).toBe(false);
  });
});

describe('the turns of checks', () => {
  const batchesOf = (team: string, count: number) =>
    Array.from({ length: count }, (_, index) => ({
      id: derivedId(new Date(0), 'batch', team, String(index)),
      team,
    }));
  /** Begins what there is room for, of batches of any number of items; answers how many of each. */
  function begin(turns: CheckTurns, batches: ReturnType<typeof batchesOf>): readonly RunningCheck[] {
    return turns.inTurn(batches).flatMap((batch) => {
      const room = turns.roomOf(batch);
      if (room === 0) return [];
      turns.choose(batch, room, 0);
      return Array.from({ length: room }, (_, index) => turns.begin(batch, index));
    });
  }
  const countsOf = (checks: readonly RunningCheck[]) =>
    [...Map.groupBy(checks, ({ batch }) => batch.id).values()].map(({ length }) => length);

  it('leave room for other batches and other teams, however many hang', () => {
    const turns = new CheckTurns();
    expect(countsOf(begin(turns, batchesOf('blue', 1)))).toEqual([8]);
    expect(countsOf(begin(turns, batchesOf('blue', 60)))).toEqual([4, 2, 1, 1]);
    expect(countsOf(begin(turns, batchesOf('red', 60)))).toEqual([8]);
    expect(countsOf(begin(turns, batchesOf('green', 60)))).toEqual([4]);
    expect(begin(turns, batchesOf('blue', 60))).toEqual([]);
  });

  it('come to every batch, the one first that was served longest ago', () => {
    const turns = new CheckTurns();
    const batches = batchesOf('blue', 120);
    const served = new Set<string>();
    let running = begin(turns, batches);
    for (let ends = 0; served.size < batches.length; ends += 1) {
      expect(ends).toBeLessThan(2 * batches.length);
      for (const { batch } of running) served.add(batch.id);
      const [first, ...others] = running;
      if (first !== undefined) turns.end(first);
      running = [...others, ...begin(turns, batches)];
    }
  });

  it('make a check again when its time has come, and before new ones; after the fourth failure it counts', () => {
    const turns = new CheckTurns();
    const [batch] = batchesOf('blue', 1);
    if (batch === undefined) throw new Error('There is no batch.');
    const failed = (nowMs: number) => turns.postpone(turns.begin(batch, 7), nowMs);
    expect([turns.choose(batch, 8, 0), failed(0)]).toEqual([{ without: [] }, true]);
    expect(turns.choose(batch, 8, 4999)).toEqual({ without: [7] });
    expect(turns.choose(batch, 8, 5000)).toEqual({ only: [7] });
    expect([failed(5000), failed(25_000), failed(85_000)]).toEqual([true, true, false]);
  });

  it('do not take what was begun before a sample was drawn for a part of it', () => {
    const turns = new CheckTurns();
    const [batch] = batchesOf('blue', 1);
    if (batch === undefined) throw new Error('There is no batch.');
    const before = turns.begin(batch, 1);
    turns.drawn(batch);
    expect([turns.isOutdated(before), turns.isOutdated(turns.begin(batch, 2))]).toEqual([true, false]);
  });
});
