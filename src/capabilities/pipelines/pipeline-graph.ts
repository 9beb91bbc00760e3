import { declaredPipeline } from '../../engine/pipeline/pipeline-faults.ts';
import type { StageDefinition } from '../../engine/pipeline/stage-definition.ts';
import type { PipelineDocument, PipelineSummary } from './pipeline-documents.ts';

/** All pipelines of these stages, by name. */
export function pipelinesOf(stages: readonly StageDefinition[]): readonly PipelineSummary[] {
  const names = [...new Set(stages.map(({ pipeline }) => pipeline))].toSorted();
  return names.map((name) => {
    const { isDeclared, inputs, outputs, stages: own } = graphOf(stages, name);
    return {
      name,
      isDeclared,
      inputs,
      outputs,
      stages: own.length,
      owners: [...new Set(own.map(({ owner }) => owner))].toSorted(),
    };
  });
}

/** A pipeline with its stages in the order in which messages come to them; undefined where no stage belongs to it. */
export function pipelineGraph(
  stages: readonly StageDefinition[],
  name: string,
): PipelineDocument | undefined {
  return stages.some(({ pipeline }) => pipeline === name) ? graphOf(stages, name) : undefined;
}

function graphOf(all: readonly StageDefinition[], name: string): PipelineDocument {
  const own = inOrder(all.filter(({ pipeline }) => pipeline === name));
  const declared = declaredPipeline(all, name);
  const consumersOf = (type: string): string[] =>
    all.filter(({ consumes }) => consumes.typeName === type).map((stage) => stage.name);
  const emitted = new Set(all.flatMap(({ emits }) => emits.map(({ typeName }) => typeName)));
  const entries = [
    ...new Set(own.map(({ consumes }) => consumes.typeName).filter((type) => !emitted.has(type))),
  ];
  const ends = [
    ...new Set(
      own.flatMap(({ emits }) =>
        emits.map(({ typeName }) => typeName).filter((type) => consumersOf(type).length === 0),
      ),
    ),
  ];
  return {
    name,
    isDeclared: declared !== undefined,
    inputs: declared === undefined ? entries : [declared.input.typeName],
    outputs: declared?.output === undefined ? ends : [declared.output.typeName],
    stages: own.map((stage) => ({
      name: stage.name,
      owner: stage.owner,
      consumes: { type: stage.consumes.typeName, versions: [...stage.consumes.versions] },
      emits: stage.emits.map((version) => ({
        type: version.typeName,
        version: version.version,
        isJoin: stage.joins.some(
          (join) => join.typeName === version.typeName && join.version === version.version,
        ),
        consumers: consumersOf(version.typeName),
      })),
      models: [...stage.models],
    })),
  };
}

/** A stage stands behind those that emit what it consumes, as far as they do not go in circles; otherwise by name. */
function inOrder(stages: readonly StageDefinition[]): readonly StageDefinition[] {
  const left = stages.toSorted((one, other) => (one.name < other.name ? -1 : 1));
  const ordered: StageDefinition[] = [];
  while (left.length > 0) {
    const ready = left.findIndex(({ consumes }, at) =>
      left.every(
        ({ emits }, other) => other === at || !emits.some(({ typeName }) => typeName === consumes.typeName),
      ),
    );
    ordered.push(...left.splice(Math.max(0, ready), 1));
  }
  return ordered;
}
