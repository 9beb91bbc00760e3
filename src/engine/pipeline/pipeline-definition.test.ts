import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { AppError } from '../../kernel/app-error.ts';
import { defineMessage } from '../../messages/message-type.ts';
import { definePipeline, type PipelineOptions } from './pipeline-definition.ts';
import { pipelineFaults } from './pipeline-faults.ts';
import { defineStage, type StageDefinition } from './stage-definition.ts';
import { StageRegistry } from './stage-registry.ts';

const empty = z.object({});
const Opened = defineMessage('opened')
  .version(1, empty)
  .version(2, empty, () => ({}));
const Part = defineMessage('part').version(1, empty);
const Merged = defineMessage('merged').version(1, empty);
const Stored = defineMessage('stored').version(1, empty);

/** Two stages of a pipeline that is declared so, with others. */
function faultsOf(
  options: Partial<PipelineOptions>,
  others: readonly StageDefinition[] = [],
): readonly string[] {
  const pipeline = definePipeline('documents', {
    input: Opened.v1,
    output: Stored.v1,
    stages: ['split', 'merge'],
    ...options,
  });
  const split = defineStage('split', { pipeline, consumes: Opened.v1, emits: [Part.v1], joins: [Merged.v1] });
  const merge = defineStage('merge', { pipeline, consumes: Merged.v1, emits: [Stored.v1] });
  return pipelineFaults([split, merge, ...others] as readonly StageDefinition[]).map(
    ({ field, problem }) => `${field}: ${problem}`,
  );
}

describe('a declared pipeline', () => {
  it('fits its stages', () => {
    expect(faultsOf({})).toEqual([]);
    const { output: _, ...rest } = definePipeline('documents', { input: Opened.v1, stages: ['x'] });
    expect(rest).toMatchObject({ name: 'documents', stages: ['x'] });
  });

  it.each<[string, Partial<PipelineOptions>, readonly StageDefinition[], readonly string[]]>([
    [
      'a stage that is not there',
      { stages: ['split', 'merge', 'store'] },
      [],
      ['pipelines.documents.stages: no stage "store" of this pipeline is registered'],
    ],
    [
      'a stage that is not listed',
      { stages: ['split'] },
      [],
      ['pipelines.documents.stages: stage "merge" says that it belongs to it, and is not listed'],
    ],
    [
      'an input of another version',
      { input: Opened.v2 },
      [],
      ['pipelines.documents.input: stage "split" does not accept opened version 2'],
    ],
    [
      'an input that nobody takes',
      { input: Part.v1 },
      [],
      [
        'pipelines.documents.input: no stage of the pipeline consumes part',
        `pipelines.documents.stages: stage "split" consumes opened, which is neither the input, nor a trigger's, nor emitted by a stage of the pipeline`,
      ],
    ],
    [
      'an input that several take',
      {},
      [defineStage('index', { consumes: Opened.v2 }) as StageDefinition],
      [
        'pipelines.documents.input: several stages consume opened ("split", "index"): it would be several messages',
      ],
    ],
    [
      'an output that goes on',
      {},
      [defineStage('notify', { consumes: Stored.v1 }) as StageDefinition],
      ['pipelines.documents.output: stage "notify" consumes stored: it goes on from there'],
    ],
    [
      'an output that nobody emits',
      { output: Opened.v2 },
      [],
      [
        'pipelines.documents.output: no stage of the pipeline emits opened version 2',
        'pipelines.documents.output: stage "split" consumes opened: it goes on from there',
      ],
    ],
    [
      'two declarations',
      {},
      [
        defineStage('other', {
          consumes: Part.v1,
          pipeline: definePipeline('documents', { input: Part.v1, stages: ['other'] }),
        }) as StageDefinition,
      ],
      [
        'pipelines.documents.stages: stage "other" says that it belongs to it, and is not listed',
        'pipelines.documents: two declarations have this name',
      ],
    ],
  ])('refuses %s', (_, options, others, faults) => {
    expect(faultsOf(options, others)).toEqual(faults);
  });

  it('is compared when the stages are registered', () => {
    const pipeline = definePipeline('documents', { input: Opened.v1, stages: ['split', 'gone'] });
    const definition = defineStage('split', { pipeline, consumes: Opened.v1 }) as StageDefinition;
    expect(() =>
      new StageRegistry().register([{ definition, handler: { handle: () => undefined } }]),
    ).toThrow(AppError);
  });

  it('refuses options that do not exist, and stages that are named twice', () => {
    expect(() =>
      definePipeline('a', { input: Opened.v1, stages: ['x'], inputs: 1 } as PipelineOptions),
    ).toThrow('has no option "inputs"; its options are input, output, stages');
    expect(() => definePipeline('a', { input: Opened.v1, stages: ['x', 'x'] })).toThrow(
      'names each stage once',
    );
    expect(() => definePipeline('a', { input: Opened.v1, stages: [] })).toThrow('has a stage');
  });
});
