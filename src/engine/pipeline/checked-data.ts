import { AppError } from '../../kernel/app-error.ts';
import { storedForm } from '../../messages/message-type.ts';
import type { RegisteredStage, StageRegistry } from './stage-registry.ts';

/** What a message is for one of the stages that consume it. */
export interface CheckedFor {
  readonly consumer: RegisteredStage;
  readonly data: unknown;
}

/**
 * Checks data as an admission does, and answers it as it would be stored. Throws MILLRACE_MESSAGE_TYPE_UNKNOWN,
 * MILLRACE_MESSAGE_VERSION_UNSUPPORTED and MILLRACE_MESSAGE_INVALID.
 */
export function checkMessageData(
  registry: StageRegistry,
  sent: { readonly typeName: string; readonly version: number; readonly data: unknown },
  maxDepth?: number,
): unknown {
  const data = storedForm(sent.typeName, sent.data, maxDepth);
  for (const { definition } of consumersOf(registry, sent.typeName, sent.version)) {
    definition.consumes.read(sent.version, data);
  }
  return data;
}

/** The data as each consumer takes it. Throws what `checkMessageData` throws. */
export function checkedFor(
  consumers: readonly RegisteredStage[],
  sent: { readonly version: number; readonly data: unknown },
): readonly CheckedFor[] {
  return consumers.map((consumer) => ({
    consumer,
    data: consumer.definition.consumes.read(sent.version, sent.data),
  }));
}

/** The pipelines that stages belong to. */
export function pipelinesOf(consumers: readonly RegisteredStage[]): readonly string[] {
  return [...new Set(consumers.map(({ definition }) => definition.pipeline))];
}

/** The stages that consume a type; throws MILLRACE_MESSAGE_TYPE_UNKNOWN when there is none. */
export function consumersOf(
  registry: StageRegistry,
  typeName: string,
  version: number,
): readonly RegisteredStage[] {
  const consumers = registry.consumersOf(typeName, version);
  if (consumers.length > 0) return consumers;
  throw new AppError(
    'MILLRACE_MESSAGE_TYPE_UNKNOWN',
    `No stage consumes the message type "${typeName}"; accepted types: ${registry.admissibleTypes.join(', ') || 'none'}`,
  );
}
