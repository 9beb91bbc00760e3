import type { Fault } from '../../kernel/app-error.ts';
import type { MessageVersion } from '../../messages/message-type.ts';
import type { PipelineDefinition } from './pipeline-definition.ts';
import type { StageDefinition } from './stage-definition.ts';

/** The declaration of a pipeline, as its stages name it; undefined for one that none declares. */
export function declaredPipeline(
  stages: readonly StageDefinition[],
  name: string,
): PipelineDefinition | undefined {
  return stages.find((stage) => stage.pipeline === name && stage.declaration !== undefined)?.declaration;
}

/** What does not fit between declared pipelines and the stages of a host. */
export function pipelineFaults(stages: readonly StageDefinition[]): readonly Fault[] {
  const declared = new Set(
    stages.flatMap(({ declaration }) => (declaration === undefined ? [] : [declaration])),
  );
  const seen = new Set<string>();
  return [...declared].flatMap((declaration) => {
    const isFirst = !seen.has(declaration.name);
    seen.add(declaration.name);
    const field = `pipelines.${declaration.name}`;
    if (!isFirst) return [{ field, problem: 'two declarations have this name' }];
    const own = stages.filter(({ pipeline }) => pipeline === declaration.name);
    return [
      ...membershipFaults(declaration, own),
      ...inputFaults(declaration, own, stages),
      ...outputFaults(declaration, own, stages),
      ...unreachedFaults(declaration, own),
      ...triggerFaults(declaration, own, [...declared]),
    ].map((fault) => ({ ...fault, field: `${field}.${fault.field}` }));
  });
}

function membershipFaults({ stages }: PipelineDefinition, own: readonly StageDefinition[]): readonly Fault[] {
  const names = own.map(({ name }) => name);
  return [
    ...stages
      .filter((name) => !names.includes(name))
      .map((name) => ({ field: 'stages', problem: `no stage "${name}" of this pipeline is registered` })),
    ...names
      .filter((name) => !stages.includes(name))
      .map((name) => ({
        field: 'stages',
        problem: `stage "${name}" says that it belongs to it, and is not listed`,
      })),
  ];
}

function inputFaults(
  { input }: PipelineDefinition,
  own: readonly StageDefinition[],
  all: readonly StageDefinition[],
): readonly Fault[] {
  const field = 'input';
  const consumers = consumersOf(all, input);
  const [consumer] = consumers;
  if (consumer === undefined || !own.includes(consumer))
    return [{ field, problem: `no stage of the pipeline consumes ${input.typeName}` }];
  if (consumers.length > 1) {
    const names = consumers.map(({ name }) => `"${name}"`).join(', ');
    return [
      { field, problem: `several stages consume ${input.typeName} (${names}): it would be several messages` },
    ];
  }
  if (consumer.consumes.versions.includes(input.version)) return [];
  return [
    {
      field,
      problem: `stage "${consumer.name}" does not accept ${input.typeName} version ${input.version}`,
    },
  ];
}

function outputFaults(
  { output }: PipelineDefinition,
  own: readonly StageDefinition[],
  all: readonly StageDefinition[],
): readonly Fault[] {
  if (output === undefined) return [];
  const field = 'output';
  const { typeName, version } = output;
  const [consumer] = consumersOf(all, output);
  const isEmitted = own.some(({ emits }) =>
    emits.some((emitted) => emitted.typeName === typeName && emitted.version === version),
  );
  return [
    ...(isEmitted
      ? []
      : [{ field, problem: `no stage of the pipeline emits ${typeName} version ${version}` }]),
    ...(consumer === undefined
      ? []
      : [{ field, problem: `stage "${consumer.name}" consumes ${typeName}: it goes on from there` }]),
  ];
}

function triggerFaults(
  declaration: PipelineDefinition,
  own: readonly StageDefinition[],
  declared: readonly PipelineDefinition[],
): readonly Fault[] {
  const names = declared.flatMap(({ triggers }) => triggers.map(({ name }) => name));
  return declaration.triggers.flatMap(({ name, message: { typeName, version } }) => {
    const field = `triggers.${name}`;
    const consumers = own.filter(({ consumes }) => consumes.typeName === typeName);
    return [
      ...(names.filter((one) => one === name).length > 1
        ? [{ field, problem: 'two triggers have this name' }]
        : []),
      ...(consumers.length === 0
        ? [{ field, problem: `no stage of the pipeline consumes ${typeName}` }]
        : []),
      ...consumers
        .filter(({ consumes }) => !consumes.versions.includes(version))
        .map((stage) => ({
          field,
          problem: `stage "${stage.name}" does not accept ${typeName} version ${version}`,
        })),
    ];
  });
}

/** Stages that nothing of the pipeline comes to. */
function unreachedFaults(
  { input, triggers }: PipelineDefinition,
  own: readonly StageDefinition[],
): readonly Fault[] {
  const emitted = new Set(own.flatMap(({ emits }) => emits.map(({ typeName }) => typeName)));
  const triggered = new Set(triggers.map(({ message }) => message.typeName));
  return own
    .filter(
      ({ consumes: { typeName } }) =>
        typeName !== input.typeName && !emitted.has(typeName) && !triggered.has(typeName),
    )
    .map(({ name, consumes }) => ({
      field: 'stages',
      problem: `stage "${name}" consumes ${consumes.typeName}, which is neither the input, nor a trigger's, nor emitted by a stage of the pipeline`,
    }));
}

function consumersOf(
  stages: readonly StageDefinition[],
  { typeName }: MessageVersion,
): readonly StageDefinition[] {
  return stages.filter(({ consumes }) => consumes.typeName === typeName);
}
