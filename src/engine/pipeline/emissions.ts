import { invariant } from '../../kernel/invariant.ts';
import type { Clock } from '../../kernel/clock.ts';
import { derivedId, type Uuid } from '../../kernel/ids.ts';
import { releasedAtOnce } from '../ledger/join-rows.ts';
import { waitsForEvent } from '../ledger/event-wait-sql.ts';
import { waitsForJoin } from '../ledger/join-sql.ts';
import type { EmittedBranch, EmittedWait, Join } from '../ledger/message-changes.ts';
import type { Emission } from '../ledger/message-ledger.ts';
import { type MessageVersion, storedForm } from '../../messages/message-type.ts';
import type { MessageEnvelope } from '../../messages/message.ts';
import { type Start, type StartOptions, startOf } from '../../messages/start-time.ts';
import { childTraceParent } from '../../telemetry/trace-context.ts';
import type { Emitted } from './emitted.ts';
import type { MessageBodies } from './message-bodies.ts';
import { placementOf } from './placement.ts';
import type { StageDefinition } from './stage-definition.ts';
import { type StageRegistry, mayEmit } from './stage-registry.ts';

/** Which trace each emission goes on in. */
export interface EmissionTraces {
  /** A traceparent for each, by the names of their types. */
  traceParentsOf(types: readonly string[]): readonly string[];
}

/** What a joined message waits for. */
export interface EmittedJoin {
  readonly of: readonly Emitted[];
  readonly quorum: number | undefined;
  readonly timeoutMs: number | undefined;
  /** Only the emitted messages themselves have to end, not what follows from them. */
  readonly isMessageOnly: boolean;
}

/** The most messages that one join waits for. */
const maxJoined = 10_000;

/** What a message that waits for an outside event is to do when its time is over. */
export interface EmittedEventWait {
  readonly timeoutMs: number;
  readonly note: string | undefined;
  /** Data that it goes on with; undefined: it is given up. */
  readonly otherwise: unknown;
}

interface Collected {
  readonly version: MessageVersion;
  /** Of one that waits for an event: what it goes on with if there is none. */
  readonly data: unknown;
  readonly join?: EmittedJoin;
  readonly event?: EmittedEventWait;
  readonly start: Start | undefined;
}

/** How an emission stands to joins. */
interface Joining {
  readonly branch?: EmittedBranch;
  readonly joinId?: Uuid;
  readonly waits?: EmittedWait;
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
  readonly #places = new Map<Emitted, number>();
  /** The emissions that a join waits for, by their places. */
  readonly #joined = new Map<number, EmittedJoin>();
  readonly #joins: Join[] = [];
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
  add(version: MessageVersion, data: unknown, options: StartOptions = {}, join?: EmittedJoin): Emitted {
    invariant(!this.#stored, `stage "${this.#definition.name}" emits before its handler returns`);
    invariant(
      mayEmit(this.#definition, version),
      `stage "${this.#definition.name}" declares in \`emits\` that it emits ${version.typeName} version ${version.version}`,
    );
    const stored = storedForm(version.typeName, data, this.#maxDepth);
    version.validate(stored);
    const emitted: Emitted = { type: version.typeName };
    this.#places.set(emitted, this.#collected.length);
    const start = startOf(options, this.#clock.now());
    this.#collected.push({ version, data: stored, start, ...(join === undefined ? {} : { join }) });
    return emitted;
  }

  /** Takes an emission that comes after others of this run. */
  join(version: MessageVersion, data: unknown, join: EmittedJoin): Emitted {
    const { of, quorum } = join;
    const refused = `stage "${this.#definition.name}" joins`;
    invariant(
      this.#definition.joins.some(
        ({ typeName, version: declared }) => typeName === version.typeName && declared === version.version,
      ),
      `stage "${this.#definition.name}" declares in \`joins\` that ${version.typeName} version ${version.version} may wait for others`,
    );
    const { length: consumers } = this.#registry.consumersOf(version.typeName, version.version);
    invariant(consumers > 0, `${refused}: a stage consumes ${version.typeName}, which waits for others`);
    invariant(of.length <= maxJoined, `${refused} at most ${maxJoined} messages at once, not ${of.length}`);
    invariant(
      quorum === undefined || (Number.isInteger(quorum) && quorum >= 1 && quorum <= of.length),
      `${refused}: the quorum is 1 to the number of messages (${of.length}), not ${quorum}`,
    );
    const places = of.map((emitted) => this.#places.get(emitted));
    for (const place of places) {
      invariant(place !== undefined, `${refused} what it has emitted itself in the same run`);
      invariant(!this.#joined.has(place), `${refused} each message once`);
      this.#joined.set(place, join);
    }
    return this.add(version, data, {}, join);
  }

  /** Takes a message that waits for an outside event to give it its data. Answers the id that it will have. */
  awaitEvent(
    version: MessageVersion,
    event: EmittedEventWait,
  ): { readonly emitted: Emitted; readonly id: Uuid } {
    invariant(!this.#stored, `stage "${this.#definition.name}" emits before its handler returns`);
    const { name } = this.#definition;
    invariant(
      mayEmit(this.#definition, version),
      `stage "${name}" declares in \`emits\` that it emits ${version.typeName} version ${version.version}`,
    );
    const consumers = this.#registry.consumersOf(version.typeName, version.version);
    invariant(
      consumers.length === 1,
      `stage "${name}" waits for data of ${version.typeName}, which exactly one stage consumes`,
    );
    const hasDefault = event.otherwise !== undefined;
    const data = hasDefault ? storedForm(version.typeName, event.otherwise, this.#maxDepth) : null;
    if (hasDefault) version.validate(data);
    const place = this.#collected.length;
    const emitted: Emitted = { type: version.typeName };
    this.#places.set(emitted, place);
    this.#collected.push({ version, data, event, start: undefined });
    return { emitted, id: this.#idFor(place, this.#firstStageOf(place)) };
  }

  /** The joins among what was stored. */
  get joins(): readonly Join[] {
    return this.#joins;
  }

  /** The rows to be written: one per emission and consumer, or one complete row for an output. */
  async store(): Promise<readonly Emission[]> {
    this.#stored = true;
    const traceParents = this.#traces?.traceParentsOf(this.#collected.map(({ version }) => version.typeName));
    const joining = this.#collected.map((emission, place) => this.#joiningOf(emission, place));
    const perEmission = await Promise.all(
      this.#collected.map((emission, index) =>
        this.#rowsOf(emission, index, traceParents?.[index], joining[index] ?? {}),
      ),
    );
    return perEmission.flat();
  }

  #idFor(place: number, stage: string): Uuid {
    const { createdAt, id } = this.#parent;
    return derivedId(createdAt, 'emission', id, String(place), stage);
  }

  /** The stage of the emission's first message; empty for an output. */
  #firstStageOf(place: number): string {
    const { version } = this.#collected[place] ?? {};
    if (version === undefined) return '';
    return this.#registry.consumersOf(version.typeName, version.version)[0]?.definition.name ?? '';
  }

  #joiningOf({ join }: Collected, place: number): Joining {
    const joinedBy = this.#joined.get(place);
    const firstId = (at: number): Uuid => this.#idFor(at, this.#firstStageOf(at));
    const branch =
      joinedBy === undefined ? {} : { branch: { id: firstId(place), isMessageOnly: joinedBy.isMessageOnly } };
    if (join === undefined) return branch;
    const joinId = firstId(place);
    const branches = join.of.map((emitted) => {
      const at = this.#places.get(emitted) ?? 0;
      return { id: firstId(at), type: emitted.type, isOutput: this.#firstStageOf(at) === '' };
    });
    this.#joins.push({ id: joinId, quorum: join.quorum, branches });
    const outputs = branches.filter(({ isOutput }) => isOutput).length;
    if (releasedAtOnce(branches.length, outputs, join.quorum) !== undefined) return { ...branch, joinId };
    return { ...branch, joinId, waits: { parkedFor: waitsForJoin, timeoutMs: join.timeoutMs } };
  }

  async #rowsOf(
    { version, data, event, start }: Collected,
    index: number,
    traceParent: string | undefined,
    joining: Joining,
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
      ...joining,
    };
    const idFor = (stage: string): Uuid => this.#idFor(index, stage);
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
    if (event !== undefined) return [this.#waitingRow(common, event, consumers[0]?.definition, idFor)];
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

  /** Where it stands in its stage is decided when its data is there. */
  #waitingRow(
    common: Omit<Emission, 'id' | 'stage' | 'pipeline' | 'owner' | 'lane'>,
    { timeoutMs, note, otherwise }: EmittedEventWait,
    definition: StageDefinition | undefined,
    idFor: (stage: string) => Uuid,
  ): Emission {
    invariant(definition !== undefined, 'one stage consumes what waits for an event');
    const { body, bodyBytes } = common;
    const data = otherwise === undefined ? {} : { otherwise: { body, bodyBytes } };
    const { name, pipeline, owner } = definition;
    return {
      ...common,
      body: { kind: 'inline', json: 'null' },
      bodyBytes: 4,
      id: idFor(name),
      stage: name,
      pipeline,
      owner,
      lane: this.#parent.lane,
      waits: { parkedFor: waitsForEvent, timeoutMs, note, ...data },
    };
  }
}
