import { z } from 'zod';
import { describe, expect, it } from 'vitest';
import { defineStage } from '../../../engine/pipeline/stage-definition.ts';
import { type RegisteredStage, StageRegistry } from '../../../engine/pipeline/stage-registry.ts';
import { defineMessage } from '../../../messages/message-type.ts';
import { modelsOfPipeline } from '../../../engine/pipeline/pipeline-types.ts';
import { itemTypeOf } from './pipeline-types.ts';

const schema = z.object({});
const First = defineMessage('first')
  .version(1, schema)
  .version(2, schema, () => ({}));
const Second = defineMessage('second').version(1, schema);
const Other = defineMessage('other').version(1, schema);

const registryOf = (...definitions: readonly object[]): StageRegistry => {
  const registry = new StageRegistry();
  const handler = { handle: () => undefined };
  registry.register(definitions.map((definition) => ({ definition, handler })) as readonly RegisteredStage[]);
  return registry;
};

const one = defineStage('one', {
  consumes: First.v2,
  emits: [Second.v1],
  pipeline: 'p',
  models: ['a/b', 'a/a'],
});
const two = defineStage('two', { consumes: Second.v1, pipeline: 'p', models: ['a/b'] });
const other = defineStage('other', { consumes: Other.v1, pipeline: 'p' });

describe('the type of the items', () => {
  it('is the one that comes into the pipeline from outside, in its newest version', () => {
    expect(itemTypeOf(registryOf(one, two), { pipeline: 'p' })).toEqual({ type: 'first', version: 2 });
    expect(itemTypeOf(registryOf(one, two), { pipeline: 'p', version: 1 })).toEqual({
      type: 'first',
      version: 1,
    });
    expect(itemTypeOf(registryOf(one, two), { pipeline: 'p', type: 'second' })).toEqual({
      type: 'second',
      version: 1,
    });
  });

  it('has to be named where there are several, or all are emitted', () => {
    expect(() => itemTypeOf(registryOf(one, two, other), { pipeline: 'p' })).toThrow(
      'takes in "first", "other": name one as the type',
    );
    const circle = defineStage('circle', { consumes: First.v2, emits: [First.v2], pipeline: 'p' });
    expect(() => itemTypeOf(registryOf(circle), { pipeline: 'p' })).toThrow('takes in "first": name one');
    expect(itemTypeOf(registryOf(circle), { pipeline: 'p', type: 'first' })).toEqual({
      type: 'first',
      version: 2,
    });
  });

  it('is consumed by one stage alone, of that pipeline', () => {
    const elsewhere = defineStage('elsewhere', { consumes: First.v2, pipeline: 'q' });
    expect(() => itemTypeOf(registryOf(one, elsewhere), { pipeline: 'p' })).toThrow(
      'Several stages consume "first" ("one", "elsewhere")',
    );
    expect(() => itemTypeOf(registryOf(one), { pipeline: 'q' })).toThrow(
      'No stage belongs to the pipeline "q"; there are "p"',
    );
    expect(() => itemTypeOf(registryOf(), { pipeline: 'q' })).toThrow('there are none');
    expect(() => itemTypeOf(registryOf(one), { pipeline: 'p', version: 3 })).toThrow(/version 3/);
  });

  it('comes with the models that the pipeline says it asks', () => {
    expect(modelsOfPipeline(registryOf(one, two), 'p')).toEqual(['a/a', 'a/b']);
    expect(modelsOfPipeline(registryOf(one, two), 'q')).toEqual([]);
  });
});
