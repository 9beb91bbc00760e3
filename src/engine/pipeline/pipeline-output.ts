import type { TreeMessage } from '../ledger/tree-messages.ts';
import { declaredPipeline } from './pipeline-faults.ts';
import type { StageRegistry } from './stage-registry.ts';

/**
 * The messages of ended trees with what counts as said: where the pipeline of a root declares its output, only data of that type; otherwise
 * everything that was said.
 */
export function withDeclaredOutput(
  { stages }: Pick<StageRegistry, 'stages'>,
  messages: readonly TreeMessage[],
): readonly TreeMessage[] {
  const definitions = stages.map(({ definition }) => definition);
  const outputOf = new Map(
    messages.flatMap(({ rootId, hops, pipeline }) => {
      const output = hops === 0 ? declaredPipeline(definitions, pipeline)?.output : undefined;
      return output === undefined ? [] : [[rootId, output.typeName] as const];
    }),
  );
  return messages.map((message) => {
    const output = outputOf.get(message.rootId);
    const isSaid = output === undefined || (message.body !== undefined && message.type === output);
    return isSaid ? message : { ...message, body: undefined, result: undefined };
  });
}
