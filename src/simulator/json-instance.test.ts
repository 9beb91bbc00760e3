import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Draws } from './draws.ts';
import { invalidInstance, type InstanceSource, jsonInstance } from './json-instance.ts';

function source(key: number, hasNul = false): InstanceSource {
  return {
    random: new Draws(3, key).stream('content'),
    vocabulary: ['licence', 'warranty', 'notice'],
    hasNul,
  };
}

interface Tree {
  name: string;
  children: Tree[];
}
const tree: z.ZodType<Tree> = z.lazy(() => z.object({ name: z.string(), children: z.array(tree) }));

const schemas: Record<string, z.ZodType> = {
  'a classification': z.object({
    category: z.enum(['bug', 'billing', 'praise']),
    confidence: z.number().min(0).max(1),
  }),
  'bounded numbers': z.object({
    whole: z.int().min(3).max(7),
    above: z.number().gt(10).lt(11),
    steps: z.int().multipleOf(5).min(5).max(50),
    any: z.int(),
    huge: z.int().min(5_000_000_000),
  }),
  'nested lists': z.object({
    rows: z.array(z.object({ tags: z.array(z.string()).min(1).max(4), on: z.boolean() })).length(3),
  }),
  'strings with formats': z.object({
    at: z.iso.datetime(),
    day: z.iso.date(),
    mail: z.email(),
    link: z.url(),
    id: z.uuid(),
    short: z.string().max(6),
    long: z.string().min(120),
  }),
  unions: z.union([
    z.object({ kind: z.literal('text'), text: z.string() }),
    z.object({ kind: z.literal('none'), why: z.string().nullable() }),
  ]),
  'optional and nullable': z.object({ note: z.string().optional(), score: z.number().nullable() }),
  intersections: z.intersection(z.object({ left: z.string() }), z.object({ right: z.int() })),
  records: z.record(z.string(), z.number()),
  tuples: z.tuple([z.string(), z.int(), z.boolean()]),
  recursion: tree,
  'a bare list': z.array(z.enum(['x', 'y'])),
};

describe('a JSON instance', () => {
  it.each(Object.entries(schemas))('is valid against its schema: %s', (_name, schema) => {
    const json = z.toJSONSchema(schema);
    for (let key = 0; key < 200; key += 1) {
      const value: unknown = JSON.parse(JSON.stringify(jsonInstance(json, source(key))));
      expect(schema.safeParse(value).error, JSON.stringify(value)).toBeUndefined();
    }
  });

  it('is the same for the same draws', () => {
    const json = z.toJSONSchema(z.object({ category: z.enum(['a', 'b', 'c']), words: z.array(z.string()) }));
    expect(jsonInstance(json, source(1))).toEqual(jsonInstance(json, source(1)));
    const answers = Array.from({ length: 20 }, (_, key) => JSON.stringify(jsonInstance(json, source(key))));
    expect(new Set(answers).size).toBeGreaterThan(10);
  });

  it('obeys bounds that stand in the description', () => {
    const json = {
      type: 'array',
      description: 'Scores.\nmin items: 2; max items: 2.',
      items: { type: 'number', description: 'exclusive minimum: 0.5; maximum: 1.' },
    };
    for (let key = 0; key < 50; key += 1) {
      const scores = jsonInstance(json, source(key)) as number[];
      expect(scores).toHaveLength(2);
      expect(scores.every((score) => score > 0.5 && score <= 1)).toBe(true);
    }
  });

  it('obeys unique items as far as the schema allows', () => {
    const json = { type: 'array', items: { enum: ['a', 'b', 'c'] }, uniqueItems: true, minItems: 3 };
    for (let key = 0; key < 50; key += 1) {
      expect(new Set(jsonInstance(json, source(key)) as string[]).size).toBe(3);
    }
  });

  it('carries a U+0000 in a free string when told to', () => {
    expect(jsonInstance({ type: 'string' }, source(1, true))).toContain('\u0000');
  });
});

describe('an invalid instance', () => {
  it.each(Object.entries(schemas))('is not valid against its schema: %s', (_name, schema) => {
    expect(schema.safeParse(invalidInstance(z.toJSONSchema(schema), source(1))).success).toBe(false);
  });

  it('is not a string where a string is asked for', () => {
    expect(typeof invalidInstance({ type: 'string' }, source(1))).toBe('object');
  });
});
