import { invariant } from '../../kernel/invariant.ts';
import type { Clock } from '../../kernel/clock.ts';
import { derivedId } from '../../kernel/ids.ts';
import type { Emission } from '../ledger/message-ledger.ts';
import { type MessageVersion, storedForm } from '../../messages/message-type.ts';
import type { MessageEnvelope } from '../../messages/message.ts';
import { type Start, type StartOptions, startOf } from '../../messages/start-time.ts';
import { childTraceParent } from '../../telemetry/trace-context.ts';
import type { MessageBodies } from './message-bodies.ts';
import { placementOf } from './placement.ts';
import type { StageDefinition } from './stage-definition.ts';
import { type StageRegistry, mayEmit } from './stage-registry.ts';

interface Collected {
  readonly version: MessageVersion;
  readonly data: unknown;
  readonly start: Start | undefined;
}

/** Which trace each emission goes on in. */
export interface EmissionTraces {
  /** A traceparent for each, by the names of their types. */
  traceParentsOf(types: readonly string[]): readonly string[];
}

/**
 * What a run of a handler emits, collected until the message is finished. Ids follow from the parent, the place in
 * the order of emissions and the consumer, so that a second run of the same handler emits the same messages.
 */
export class Emissions {
  readonly #parent: MessageEnvelope;
  readonly #definition: StageDefinition;
  readonly #registry: StageRegistry;
  readonly #bodies: MessageBodies;
  readonly #traces: EmissionTraces | undefined;
  readonly #collected: Collected[] = [];
  readonly #clock: Clock;
  readonly #maxDepth: number | undefined;
  #stored = false;

  constructor(
    parent: MessageEnvelope,
    definition: StageDefinition,
    {
      registry,
      bodies,
      maxDepth,
      clock,
    }: {
      readonly registry: StageRegistry;
      readonly bodies: MessageBodies;
      readonly maxDepth?: number;
      readonly clock: Clock;
    },
    traces?: EmissionTraces,
  ) {
    this.#parent = parent;
    this.#definition = definition;
    this.#registry = registry;
    this.#bodies = bodies;
    this.#traces = traces;
    this.#maxDepth = maxDepth;
    this.#clock = clock;
  }

  /** Takes an emission. Throws MILLRACE_MESSAGE_INVALID; fails when the stage never said that it emits this version. */
  add(version: MessageVersion, data: unknown, options: StartOptions = {}): void {
    invariant(!this.#stored, `stage "${this.#definition.name}" emits before its handler returns`);
    invariant(
      mayEmit(this.#definition, version),
      `stage "${this.#definition.name}" declares in \`emits\` that it emits ${version.typeName} version ${version.version}`,
    );
    const stored = storedForm(version.typeName, data, this.#maxDepth);
    version.validate(stored);
    this.#collected.push({ version, data: stored, start: startOf(options, this.#clock.now()) });
  }

  /** The rows to be written: one per emission and consumer, or one complete row for an output. */
  async store(): Promise<readonly Emission[]> {
    this.#stored = true;
    const traceParents = this.#traces?.traceParentsOf(this.#collected.map(({ version }) => version.typeName));
    const perEmission = await Promise.all(
      this.#collected.map((collected, index) => this.#rowsOf(collected, index, traceParents?.[index])),
    );
    return perEmission.flat();
  }

  async #rowsOf(
    { version, data, start }: Collected,
    index: number,
    traceParent: string | undefined,
  ): Promise<Emission[]> {
    const { body, bodyBytes } = await this.#bodies.store(version.typeName, data);
    const parent = this.#parent;
    const common = {
      source: `millrace/${parent.pipeline}/${parent.stage}`,
      type: version.typeName,
      version: version.version,
      traceParent: traceParent ?? childTraceParent(parent.traceParent),
      body,
      bodyBytes,
    };
    const idFor = (stage: string): string =>
      derivedId(parent.createdAt, 'emission', parent.id, String(index), stage);
    const consumers = this.#registry.consumersOf(version.typeName, version.version);
    if (consumers.length === 0) {
      return [
        {
          ...common,
          id: idFor(''),
          stage: '',
          pipeline: parent.pipeline,
          owner: parent.owner,
          lane: parent.lane,
        },
      ];
    }
    return consumers.map(({ definition }) => ({
      ...common,
      start,
      id: idFor(definition.name),
      stage: definition.name,
      pipeline: definition.pipeline,
      owner: definition.owner,
      ...placementOf(definition, definition.consumes.read(version.version, data), {
        team: parent.origin.team,
        body,
        bodyBytes,
      }),
    }));
  }
}
