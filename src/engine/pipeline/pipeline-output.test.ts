import { expect, it } from 'vitest';
import { z } from 'zod';
import { defineMessage } from '../../messages/message-type.ts';
import type { TreeMessage } from '../ledger/tree-messages.ts';
import { definePipeline } from './pipeline-definition.ts';
import { withDeclaredOutput } from './pipeline-output.ts';
import { defineStage, type StageDefinition } from './stage-definition.ts';

const Opened = defineMessage('opened').version(1, z.object({}));
const Stored = defineMessage('stored').version(1, z.object({}));
const Noted = defineMessage('noted').version(1, z.object({}));
const pipeline = definePipeline('declared', { input: Opened.v1, output: Stored.v1, stages: ['store'] });
const definition = defineStage('store', { pipeline, consumes: Opened.v1, emits: [Stored.v1, Noted.v1] });
const stages = [{ definition: definition as StageDefinition, handler: { handle: () => undefined } }];

function treeOf(rootId: string, pipelineName: string): readonly TreeMessage[] {
  const common = {
    rootId,
    pipeline: pipelineName,
    state: 'completed',
    code: undefined,
    attempts: 0,
    detail: undefined,
  } as const;
  const output = { ...common, hops: 1, stage: '', result: undefined };
  return [
    { ...common, hops: 0, stage: 'store', type: 'opened', body: undefined, result: '1' },
    { ...output, type: 'stored', body: { kind: 'inline', json: '2' } },
    { ...output, type: 'noted', body: { kind: 'inline', json: '3' } },
  ];
}

it('takes the declared output only, and everything where none is declared', () => {
  const said = withDeclaredOutput({ stages }, [...treeOf('a', 'declared'), ...treeOf('b', 'other')]);
  expect(said.map(({ rootId, result, body }) => [rootId, result, body?.kind])).toEqual([
    ['a', undefined, undefined],
    ['a', undefined, 'inline'],
    ['a', undefined, undefined],
    ['b', '1', undefined],
    ['b', undefined, 'inline'],
    ['b', undefined, 'inline'],
  ]);
});
