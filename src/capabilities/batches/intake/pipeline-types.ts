import type { RegisteredStage, StageRegistry } from '../../../engine/pipeline/stage-registry.ts';
import { declaredPipeline } from '../../../engine/pipeline/pipeline-faults.ts';
import { AppError } from '../../../kernel/app-error.ts';
import { batchErrors } from '../batch-errors.ts';

/** The messages that a batch's items are. */
export interface ItemType {
  readonly type: string;
  readonly version: number;
}

export interface AskedType {
  readonly pipeline: string;
  readonly type?: string | undefined;
  readonly version?: number | undefined;
}

/**
 * The type of a batch's items: as asked, or the one that the pipeline declares as its input, or takes in, in its newest version. An item is one message, so exactly
 * one stage, of that pipeline, has to consume it. Throws MILLRACE_BATCH_TYPE_UNCLEAR with what there is to choose from, and
 * MILLRACE_MESSAGE_VERSION_UNSUPPORTED.
 */
export function itemTypeOf(
  registry: Pick<StageRegistry, 'stages' | 'consumersOf'>,
  asked: AskedType,
): ItemType {
  const { pipeline } = asked;
  const own = registry.stages.filter(({ definition }) => definition.pipeline === pipeline);
  if (own.length === 0) {
    const known = [...new Set(registry.stages.map(({ definition }) => definition.pipeline))].toSorted();
    throw unclear(`No stage belongs to the pipeline "${pipeline}"; there are ${listed(known)}.`);
  }
  const declared = declaredPipeline(
    registry.stages.map(({ definition }) => definition),
    pipeline,
  );
  const type = asked.type ?? declared?.input.typeName ?? onlyEntry(registry.stages, own, pipeline);
  const [consumer] = own.filter(({ definition }) => definition.consumes.typeName === type);
  if (consumer === undefined) {
    throw unclear(
      `No stage of the pipeline "${pipeline}" consumes "${type}"; they consume ${listed(consumedBy(own))}.`,
    );
  }
  const ownVersion = type === declared?.input.typeName ? declared.input.version : undefined;
  const version = asked.version ?? ownVersion ?? Math.max(...consumer.definition.consumes.versions);
  const consumers = registry.consumersOf(type, version).map(({ definition }) => definition.name);
  if (consumers.length === 1) return { type, version };
  throw unclear(
    `Several stages consume "${type}" (${listed(consumers)}): an item would be several messages.`,
  );
}

/** The models that the stages of a pipeline say they ask. */
export function modelsOfPipeline(
  registry: Pick<StageRegistry, 'stages'>,
  pipeline: string,
): readonly string[] {
  const own = registry.stages.filter(({ definition }) => definition.pipeline === pipeline);
  return [...new Set(own.flatMap(({ definition }) => definition.models))].toSorted();
}

/** The one type that comes into the pipeline from outside: no stage emits it. */
function onlyEntry(
  all: readonly RegisteredStage[],
  own: readonly RegisteredStage[],
  pipeline: string,
): string {
  const emitted = new Set(all.flatMap(({ definition }) => definition.emits.map(({ typeName }) => typeName)));
  const entries = consumedBy(own).filter((type) => !emitted.has(type));
  const [only] = entries;
  if (only !== undefined && entries.length === 1) return only;
  const choices = entries.length === 0 ? consumedBy(own) : entries;
  throw unclear(`The pipeline "${pipeline}" takes in ${listed(choices)}: name one as the type.`);
}

function consumedBy(stages: readonly RegisteredStage[]): readonly string[] {
  return [...new Set(stages.map(({ definition }) => definition.consumes.typeName))].toSorted();
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.map((name) => `"${name}"`).join(', ');
}

function unclear(message: string): AppError {
  return new AppError(batchErrors.MILLRACE_BATCH_TYPE_UNCLEAR, message);
}
