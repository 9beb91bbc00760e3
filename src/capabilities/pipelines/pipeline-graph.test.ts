import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { definePipeline } from '../../engine/pipeline/pipeline-definition.ts';
import { defineStage, type StageDefinition } from '../../engine/pipeline/stage-definition.ts';
import { defineMessage } from '../../messages/message-type.ts';
import { pipelineGraph, pipelinesOf } from './pipeline-graph.ts';
import { pipelineMermaid, pipelineTable, pipelineText } from './pipeline-text.ts';

const empty = z.object({});
const Opened = defineMessage('opened').version(1, empty);
const Part = defineMessage('part').version(1, empty);
const Merged = defineMessage('merged').version(1, empty);
const Stored = defineMessage('stored').version(1, empty);
const Noted = defineMessage('noted').version(1, empty);

const documents = definePipeline('documents', {
  input: Opened.v1,
  output: Stored.v1,
  stages: ['zsplit', 'read', 'merge'],
});
const stages = [
  defineStage('merge', {
    pipeline: documents,
    owner: 'search',
    consumes: Merged.v1,
    emits: [Stored.v1, Noted.v1],
  }),
  defineStage('read', { pipeline: documents, consumes: Part.v1, models: ['openai/gpt-5-mini'] }),
  defineStage('zsplit', { pipeline: documents, consumes: Opened.v1, emits: [Part.v1], joins: [Merged.v1] }),
  defineStage('look', { pipeline: 'looks', consumes: Noted.v1, emits: [Noted.v1] }),
] as readonly StageDefinition[];

describe('the graph of a pipeline', () => {
  it('has the stages in the order of the messages, and what goes in and out', () => {
    const graph = pipelineGraph(stages, 'documents');
    expect(graph).toMatchObject({ isDeclared: true, inputs: ['opened'], outputs: ['stored'] });
    expect(graph?.stages.map(({ name }) => name)).toEqual(['zsplit', 'merge', 'read']);
    expect(graph?.stages[0]?.emits).toEqual([
      { type: 'part', version: 1, isJoin: false, consumers: ['read'] },
      { type: 'merged', version: 1, isJoin: true, consumers: ['merge'] },
    ]);
    expect(pipelineGraph(stages, 'other')).toBeUndefined();
  });

  it('follows from the stages where nothing is declared, also where they go in circles', () => {
    expect(pipelineGraph(stages, 'looks')).toMatchObject({ isDeclared: false, inputs: [], outputs: [] });
    expect(pipelinesOf(stages).map(({ name, stages: count, owners }) => [name, count, owners])).toEqual([
      ['documents', 3, ['platform', 'search']],
      ['looks', 1, ['platform']],
    ]);
    expect(pipelineTable(pipelinesOf(stages)).split('\n')).toHaveLength(4);
    expect(pipelineTable([])).toBe('There is no pipeline.');
  });

  it('is written for people and for Mermaid', () => {
    const graph = pipelineGraph(stages, 'documents');
    if (graph === undefined) throw new Error('no graph');
    expect(pipelineText(graph)).toBe(
      [
        'pipeline  documents',
        'input     opened',
        'output    stored',
        '',
        'zsplit  (platform)',
        '  takes  opened v1',
        '  emits  part v1 ─► read',
        '  joins  merged v1 ─► merge',
        '',
        'merge  (search)',
        '  takes  merged v1',
        '  emits  stored v1 ─► output',
        '  emits  noted v1 ─► look',
        '',
        'read  (platform)  asks openai/gpt-5-mini',
        '  takes  part v1',
      ].join('\n'),
    );
    expect(pipelineMermaid(graph)).toBe(
      [
        'flowchart LR',
        '  n0["zsplit"]',
        '  n1(["opened"])',
        '  n1 --> n0',
        '  n2["merge"]',
        '  n3["read"]',
        '  n0 -->|"part"| n3',
        '  n0 -.->|"merged"| n2',
        '  n4(["stored"])',
        '  n2 --> n4',
        '  n5["look"]',
        '  n2 -->|"noted"| n5',
      ].join('\n'),
    );
  });
});
