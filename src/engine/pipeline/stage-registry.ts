import { AppError, type Fault } from '../../kernel/app-error.ts';
import { invariant } from '../../kernel/invariant.ts';
import type { MessageVersion } from '../../messages/message-type.ts';
import { unsupportedVersion } from '../../messages/message-type.ts';
import { pipelineFaults } from './pipeline-faults.ts';
import type { StageDefinition } from './stage-definition.ts';
import type { StageHandler } from './stage-context.ts';

/** A stage with the handler that does its work. */
export interface RegisteredStage {
  readonly definition: StageDefinition;
  readonly handler: StageHandler;
}

/**
 * All stages of a host, and which of them consume a message type. A type that nobody consumes but some stage emits is
 * a pipeline's output.
 */
export class StageRegistry {
  readonly #stages = new Map<string, RegisteredStage>();
  readonly #consumers = new Map<string, RegisteredStage[]>();

  /**
   * Registers the stages, once, before the host takes work. Throws MILLRACE_CONFIG_INVALID with every fault: stages that
   * share a name, emissions that a consumer among them does not accept, and what does not fit a declared pipeline.
   */
  register(stages: readonly RegisteredStage[]): void {
    invariant(this.#stages.size === 0, 'the stages of a host are registered once');
    const faults: Fault[] = [];
    for (const stage of stages) {
      const { name, consumes } = stage.definition;
      if (this.#stages.has(name))
        faults.push({ field: `stages.${name}`, problem: 'two stages have this name' });
      this.#stages.set(name, stage);
      const consumers = this.#consumers.get(consumes.typeName) ?? [];
      consumers.push(stage);
      this.#consumers.set(consumes.typeName, consumers);
    }
    for (const { definition } of stages) faults.push(...this.#emissionFaults(definition));
    faults.push(...pipelineFaults(stages.map(({ definition }) => definition)));
    if (faults.length > 0) {
      throw new AppError(
        'MILLRACE_CONFIG_INVALID',
        `Stages: ${faults.map((fault) => `${fault.field}: ${fault.problem}`).join('; ')}`,
        { faults },
      );
    }
  }

  #emissionFaults({ name, emits }: StageDefinition): Fault[] {
    return emits.flatMap(({ typeName, version }) =>
      (this.#consumers.get(typeName) ?? [])
        .filter(({ definition }) => !definition.consumes.versions.includes(version))
        .map(({ definition }) => ({
          field: `stages.${name}.emits`,
          problem: `stage "${definition.name}" does not accept ${typeName} version ${version}`,
        })),
    );
  }

  get stages(): readonly RegisteredStage[] {
    return [...this.#stages.values()];
  }

  /** The message types that can be admitted. */
  get admissibleTypes(): readonly string[] {
    return [...this.#consumers.keys()].toSorted();
  }

  find(name: string): RegisteredStage | undefined {
    return this.#stages.get(name);
  }

  get(name: string): RegisteredStage {
    const stage = this.#stages.get(name);
    invariant(stage !== undefined, `stage "${name}" is registered`);
    return stage;
  }

  /** The stages that consume this type; none for an output. Throws when one of them does not accept the version. */
  consumersOf(typeName: string, version: number): readonly RegisteredStage[] {
    const consumers = this.#consumers.get(typeName) ?? [];
    for (const { definition } of consumers) {
      if (!definition.consumes.versions.includes(version)) {
        throw unsupportedVersion(typeName, version, definition.consumes.versions);
      }
    }
    return consumers;
  }
}

/** Whether the stage said that it may emit this version. */
export function mayEmit(definition: StageDefinition, version: MessageVersion): boolean {
  return definition.emits.some(
    (declared) => declared.typeName === version.typeName && declared.version === version.version,
  );
}
