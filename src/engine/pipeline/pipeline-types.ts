import { declaredPipeline } from './pipeline-faults.ts';
import type { RegisteredStage, StageRegistry } from './stage-registry.ts';

/** The messages that come into a pipeline from outside. */
export interface EntryType {
  readonly type: string;
  readonly version: number;
  /** The stage that consumes them. */
  readonly stage: string;
}

/** Why there is none, in words for whoever asked. */
export interface NoEntryType {
  readonly unclear: string;
}

export interface AskedEntry {
  readonly pipeline: string;
  readonly type?: string | undefined;
  readonly version?: number | undefined;
}

type Stages = Pick<StageRegistry, 'stages' | 'consumersOf'>;

/**
 * The type of the messages that the pipeline takes in: as asked, or declared, or the only one that no stage emits, in its newest version. One stage, of that
 * pipeline, has to consume it, so that what comes in is one message. Throws MILLRACE_MESSAGE_VERSION_UNSUPPORTED.
 */
export function entryTypeOf(registry: Stages, asked: AskedEntry): EntryType | NoEntryType {
  const { pipeline } = asked;
  const own = stagesOf(registry, pipeline);
  if (own.length === 0) {
    const known = [...new Set(registry.stages.map(({ definition }) => definition.pipeline))].toSorted();
    return { unclear: `No stage belongs to the pipeline "${pipeline}"; there are ${listed(known)}.` };
  }
  const declared = declaredPipeline(
    registry.stages.map(({ definition }) => definition),
    pipeline,
  );
  const type = asked.type ?? declared?.input.typeName ?? onlyEntry(registry.stages, own);
  if (typeof type === 'object')
    return { unclear: `The pipeline "${pipeline}" takes in ${listed(type)}: name one as the type.` };
  const [consumer] = own.filter(({ definition }) => definition.consumes.typeName === type);
  if (consumer === undefined)
    return {
      unclear: `No stage of the pipeline "${pipeline}" consumes "${type}"; they consume ${listed(consumedBy(own))}.`,
    };
  const ownVersion = type === declared?.input.typeName ? declared.input.version : undefined;
  const version = asked.version ?? ownVersion ?? Math.max(...consumer.definition.consumes.versions);
  const consumers = registry.consumersOf(type, version).map(({ definition }) => definition.name);
  const [stage] = consumers;
  if (stage !== undefined && consumers.length === 1) return { type, version, stage };
  return {
    unclear: `Several stages consume "${type}" (${listed(consumers)}): what comes in would be several messages.`,
  };
}

/** The stages of a pipeline. */
export function stagesOf(
  { stages }: Pick<StageRegistry, 'stages'>,
  pipeline: string,
): readonly RegisteredStage[] {
  return stages.filter(({ definition }) => definition.pipeline === pipeline);
}

/** The models that the stages of a pipeline say they ask. */
export function modelsOfPipeline(
  registry: Pick<StageRegistry, 'stages'>,
  pipeline: string,
): readonly string[] {
  const own = stagesOf(registry, pipeline);
  return [...new Set(own.flatMap(({ definition }) => definition.models))].toSorted();
}

/** The one type that comes into the pipeline from outside: no stage emits it. Otherwise what there is to choose from. */
function onlyEntry(
  all: readonly RegisteredStage[],
  own: readonly RegisteredStage[],
): string | readonly string[] {
  const emitted = new Set(all.flatMap(({ definition }) => definition.emits.map(({ typeName }) => typeName)));
  const entries = consumedBy(own).filter((type) => !emitted.has(type));
  const [only] = entries;
  if (only !== undefined && entries.length === 1) return only;
  return entries.length === 0 ? consumedBy(own) : entries;
}

function consumedBy(stages: readonly RegisteredStage[]): readonly string[] {
  return [...new Set(stages.map(({ definition }) => definition.consumes.typeName))].toSorted();
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.map((name) => `"${name}"`).join(', ');
}
