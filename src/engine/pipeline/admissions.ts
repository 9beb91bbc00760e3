import { AppError } from '../../kernel/app-error.ts';
import type { Clock } from '../../kernel/clock.ts';
import { EventLoopTurn } from '../../kernel/event-loop-turn.ts';
import { type Uuid, derivedId, newId, timeOfId } from '../../kernel/ids.ts';
import type { Admission, AdmissionOutcome, MessageLedger } from '../ledger/message-ledger.ts';
import { isStorableText } from '../../kernel/storable-text.ts';
import { type MessageVersion, storedForm } from '../../messages/message-type.ts';
import { type Origin, parseOrigin } from '../../messages/origin.ts';
import { isReservedSource, reservedSourceProblem } from '../../messages/reserved-source.ts';
import { type StartOptions, startOf } from '../../messages/start-time.ts';
import type { MessageTracer } from '../../telemetry/message-tracer.ts';
import { newTraceParent, parseTraceParent } from '../../telemetry/trace-context.ts';
import { type CheckedFor, checkedFor, checkMessageData, consumersOf, pipelinesOf } from './checked-data.ts';
import { HandOver, leasedAdmission } from './hand-over.ts';
import type { Lane } from './lane.ts';
import type { MessageBodies } from './message-bodies.ts';
import { placementOf } from './placement.ts';
import type { Publisher } from './publisher.ts';
import { admissionSpan } from './sending-span.ts';
import type { DataOf } from './stage-context.ts';
import { isNear } from './near-start.ts';
import type { RegisteredStage, StageRegistry } from './stage-registry.ts';

/** What goes with a message when it is admitted. */
export interface AdmitOptions extends StartOptions {
  /** Who caused it: team, customer and feature are required. */
  readonly origin: Origin;
  /**
   * The sender's id of the event. The same team, source and id admitted again is a duplicate and changes nothing.
   * Without one, every admission is a new message.
   */
  readonly id?: string;
  /** Who sends it, as a URI reference; not one below /v1/batches/, which batches send their items with. Default "millrace". */
  readonly source?: string;
  /** The thing worked on (a document, a ticket): costs are shown by it. Default the message's id. */
  readonly item?: string;
  /** Overrides the lane that the consuming stage would choose. */
  readonly lane?: Lane;
  /** W3C trace context to go on with; a new trace without one. */
  readonly traceParent?: string;
}

/** What admission answers. One message per consuming stage, mostly one. */
export interface AdmissionReceipt {
  readonly outcome: AdmissionOutcome;
  readonly messageIds: readonly Uuid[];
}

/** Why new messages of an origin are kept out. */
export interface AdmissionRefusal {
  /** Says why and, where it can be known, for how long. */
  readonly error: AppError;
  /** Counts it. Called when a message is refused: one that was admitted before is not, when it comes again. */
  readonly count: () => void;
}

/** Keeps messages of some origins out. */
export interface AdmissionCheck {
  /** Answers undefined where new messages may come in, to stages of these pipelines. */
  check(origin: Origin, pipelines: readonly string[]): Promise<AdmissionRefusal | undefined>;
}

/** A message that may be written. */
export interface CheckedMessage {
  readonly sent: { readonly typeName: string; readonly version: number; readonly data: unknown };
  readonly options: AdmitOptions;
  /** For each stage that consumes it, the data as that takes it. */
  readonly checked: readonly CheckedFor[];
  /** Why it is not admitted by now; what was admitted before is admitted all the same. */
  readonly refusal: AdmissionRefusal | undefined;
}

/** A message that may be written together with others. */
export interface GroupMember {
  readonly message: CheckedMessage;
  /** The same one again is a duplicate. */
  readonly messageId: Uuid;
  /** What orders it among the messages of its stage and team. Default as the stage says. */
  readonly orderKey?: string | undefined;
}

export interface AdmissionsOptions {
  readonly ledger: MessageLedger;
  readonly registry: StageRegistry;
  readonly bodies: MessageBodies;
  readonly publisher: Publisher;
  readonly clock: Clock;
  /** What every new message passes before it is written. Default nothing. */
  readonly check?: AdmissionCheck;
  /** The most levels of arrays and objects in data. Default 128. */
  readonly maxDepth?: number;
  /** Makes a span of every admission. Default none. */
  readonly tracer?: MessageTracer;
}

const maxTextLength = 512;

/** The way in: checks a message completely, writes it, and notifies its stage. */
export class Admissions {
  readonly #options: AdmissionsOptions;

  constructor(options: AdmissionsOptions) {
    this.#options = options;
  }

  /**
   * Admits a message; durable when it resolves. Throws MILLRACE_ORIGIN_INVALID, MILLRACE_MESSAGE_TYPE_UNKNOWN,
   * MILLRACE_MESSAGE_VERSION_UNSUPPORTED, MILLRACE_MESSAGE_INVALID, MILLRACE_MESSAGE_TOO_LARGE or
   * MILLRACE_BUDGET_EXHAUSTED, with nothing written.
   */
  async admit<Version extends MessageVersion>(
    version: Version,
    data: DataOf<Version>,
    options: AdmitOptions,
  ): Promise<AdmissionReceipt> {
    const { typeName } = version;
    refuseReserved(options.source);
    const stored = storedForm(typeName, data, this.#options.maxDepth);
    version.validate(stored);
    return await this.#admitStored({ typeName, version: version.version, data: stored }, options);
  }

  /**
   * As `admit`, for data that came from outside with the name of its type; the consumers' schemas check it. Whoever read it has refused a
   * reserved source: batches admit their items here.
   */
  async admitUnchecked(
    sent: { readonly typeName: string; readonly version: number; readonly data: unknown },
    options: AdmitOptions,
  ): Promise<AdmissionReceipt> {
    const turn = new EventLoopTurn(this.#options.clock);
    const data = storedForm(sent.typeName, sent.data, this.#options.maxDepth);
    if (turn.isOver) await turn.giveWay();
    return await this.#admitStored({ ...sent, data }, options);
  }

  /** Checks the data alone, with nothing written. Throws what `admitUnchecked` throws about type, version and data. */
  checkData(sent: { readonly typeName: string; readonly version: number; readonly data: unknown }): void {
    const { registry, maxDepth } = this.#options;
    checkMessageData(registry, sent, maxDepth);
  }

  /**
   * Checks data that came from outside completely, with nothing written: for whoever writes something of its own before the message. Throws what
   * `admitUnchecked` throws but for a refusal, which stands in the answer.
   */
  async check(
    sent: { readonly typeName: string; readonly version: number; readonly data: unknown },
    options: AdmitOptions,
  ): Promise<CheckedMessage> {
    const { check } = this.#options;
    const turn = new EventLoopTurn(this.#options.clock);
    const stored = { ...sent, data: storedForm(sent.typeName, sent.data, this.#options.maxDepth) };
    if (turn.isOver) await turn.giveWay();
    const origin = parseOrigin(options.origin);
    const consumers = this.#consumersOf(sent.typeName, sent.version);
    const checked = checkedFor(consumers, stored);
    return {
      sent: stored,
      options: { ...options, origin },
      checked,
      refusal: await check?.check(origin, pipelinesOf(consumers)),
    };
  }

  /** Writes a message that was checked, under this id; the same one again is a duplicate. Durable when it resolves. */
  async admitChecked({ sent, options, checked }: CheckedMessage, messageId: Uuid): Promise<AdmissionReceipt> {
    const envelope = this.#commonEnvelope(sent, options.origin, { ...options, messageId });
    return await this.#writeTraced(sent, envelope, checked, options);
  }

  /**
   * Writes messages that were checked, all in one transaction and in this order; those that are there already are duplicates. Durable when it
   * resolves; when it throws, none was written as far as is known.
   */
  async admitTogether(group: readonly GroupMember[]): Promise<readonly AdmissionReceipt[]> {
    const { tracer } = this.#options;
    const spans = group.map(({ message: { sent, options } }) =>
      tracer === undefined
        ? undefined
        : admissionSpan(tracer, sent.typeName, options.origin, options.traceParent),
    );
    try {
      const written = await Promise.all(
        group.map(({ message: { sent, options, checked }, messageId, orderKey }, index) => {
          const span = spans[index];
          const traced = span === undefined ? options : { ...options, traceParent: span.traceParent };
          const given = { ...traced, messageId };
          return this.#prepare(
            sent,
            this.#commonEnvelope(sent, options.origin, given),
            checked,
            options,
            orderKey,
          );
        }),
      );
      const outcomes = await this.#writeAll(written.flatMap((admissions) => admissions));
      let next = 0;
      return written.map((admissions, index) => {
        const outcome = outcomeOf(outcomes.slice(next, next + admissions.length));
        next += admissions.length;
        const messageIds = admissions.map(({ envelope }) => envelope.id);
        spans[index]?.admitted(messageIds, outcome);
        return { outcome, messageIds };
      });
    } catch (error) {
      for (const span of spans) span?.failed(error);
      throw error;
    }
  }

  async #admitStored(
    sent: { readonly typeName: string; readonly version: number; readonly data: unknown },
    options: AdmitOptions,
  ): Promise<AdmissionReceipt> {
    const { check } = this.#options;
    const origin = parseOrigin(options.origin);
    const envelope = this.#commonEnvelope(sent, origin, options);
    const consumers = this.#consumersOf(sent.typeName, sent.version);
    const turn = new EventLoopTurn(this.#options.clock);
    const checked = checkedFor(consumers, sent);
    const refusal = await check?.check(origin, pipelinesOf(consumers));
    if (refusal !== undefined) {
      const messageIds = idsOf(envelope, consumers);
      // What came before is notified again: its sender may not have heard the answer.
      if (options.id !== undefined && (await this.#options.ledger.hasAll(messageIds)))
        return { outcome: 'duplicate', messageIds };
      refusal.count();
      throw refusal.error;
    }
    // Writing large data as JSON takes as long as checking it.
    if (turn.isOver) await turn.giveWay();
    return await this.#writeTraced(sent, envelope, checked, options);
  }

  async #writeTraced(
    sent: { readonly typeName: string; readonly data: unknown },
    envelope: CommonEnvelope,
    checked: readonly CheckedFor[],
    options: AdmitOptions,
  ): Promise<AdmissionReceipt> {
    const { tracer } = this.#options;
    if (tracer === undefined) return await this.#write(sent, envelope, checked, options);
    const span = admissionSpan(tracer, sent.typeName, envelope.origin, options.traceParent);
    try {
      const traced = { ...envelope, traceParent: span.traceParent };
      const receipt = await this.#write(sent, traced, checked, options);
      span.admitted(receipt.messageIds, receipt.outcome);
      return receipt;
    } catch (error) {
      span.failed(error);
      throw error;
    }
  }

  async #write(
    sent: { readonly typeName: string; readonly data: unknown },
    envelope: CommonEnvelope,
    checked: readonly CheckedFor[],
    options: AdmitOptions,
  ): Promise<AdmissionReceipt> {
    const admissions = await this.#prepare(sent, envelope, checked, options);
    const outcome = outcomeOf(await this.#writeAll(admissions));
    return { outcome, messageIds: admissions.map(({ envelope: { id } }) => id) };
  }

  /** What is to be written: one for each stage. A large body is stored by then. */
  async #prepare(
    sent: { readonly typeName: string; readonly data: unknown },
    envelope: CommonEnvelope,
    checked: readonly CheckedFor[],
    options: AdmitOptions,
    key?: string,
  ): Promise<readonly Admission[]> {
    const { bodies, clock } = this.#options;
    const start = startOf(options, clock.now());
    const { body, bodyBytes } = await bodies.store(sent.typeName, sent.data);
    const consumers = checked.map(({ consumer }) => consumer);
    const ids = idsOf(envelope, consumers);
    return checked.map(({ consumer: { definition }, data }, index) => {
      const given = { lane: options.lane, key, team: envelope.origin.team, body, bodyBytes };
      const { lane, orderKey } = placementOf(definition, data, given);
      const { pipeline, name: stage, owner } = definition;
      return {
        envelope: { ...envelope, id: ids[index] ?? envelope.id, pipeline, stage, owner, lane },
        orderKey,
        start,
        body,
        bodyBytes,
      };
    });
  }

  /** Writes the messages together, and has each begun here, or its stage notified. */
  async #writeAll(admissions: readonly Admission[]): Promise<readonly AdmissionOutcome[]> {
    const { ledger, publisher, clock } = this.#options;
    const placed = admissions.map((admission, index) => {
      const { id, stage } = admission.envelope;
      return { id, stage, orderKey: admission.orderKey, start: admission.start, admission, index };
    });
    const handOver = new HandOver(placed, clock.monotonicMs(), (stage) => publisher.slotFor(stage));
    const { leasesMs } = handOver;
    const asked = admissions.map((admission, index) => ({ ...admission, leaseMs: leasesMs[index] }));
    const { outcomes, leased } = await ledger.admitAndLease(asked).catch((error: unknown) => {
      handOver.giveUp();
      throw error;
    });
    await handOver.begin(
      leased,
      ({ admission }, times) => leasedAdmission(admission, times),
      ({ admission, index }, isBegun) =>
        outcomes[index] === 'admitted' &&
        publisher.enqueued(admission.envelope, isBegun || !isNear(admission.start, clock.now())),
    );
    return outcomes;
  }

  #commonEnvelope(
    sent: { readonly typeName: string; readonly version: number },
    origin: Origin,
    options: AdmitOptions & { readonly messageId?: Uuid },
  ): CommonEnvelope {
    const at = this.#options.clock.now();
    const source = boundedText('source', options.source ?? 'millrace');
    const eventId = options.id === undefined ? undefined : boundedText('id', options.id);
    // An id that the sender chose must lead to the same row whenever it comes, so time has no part in it. The team has,
    // so that no team can take the place of another's message.
    const id =
      options.messageId ?? (eventId === undefined ? newId(at) : messageIdOf(origin.team, source, eventId));
    return {
      id,
      source,
      eventId: eventId ?? id,
      type: sent.typeName,
      version: sent.version,
      origin,
      item: options.item === undefined ? id : boundedText('item', options.item),
      traceParent: continuedTrace(options.traceParent),
    };
  }

  #consumersOf(typeName: string, version: number): readonly RegisteredStage[] {
    return consumersOf(this.#options.registry, typeName, version);
  }
}

/** The id of the message that a sender has named, where one stage consumes it: the same whenever it comes. */
export function messageIdOf(team: string, source: string, eventId: string): Uuid {
  return derivedId(new Date(0), 'event', team, source, eventId);
}

function outcomeOf(outcomes: readonly AdmissionOutcome[]): AdmissionOutcome {
  return outcomes.includes('admitted') ? 'admitted' : 'duplicate';
}

/** What the messages of one admission have in common. */
interface CommonEnvelope {
  readonly id: Uuid;
  readonly source: string;
  readonly eventId: string;
  readonly type: string;
  readonly version: number;
  readonly origin: Origin;
  readonly item: string;
  readonly traceParent: string;
}

/**
 * The ids of an admission's messages: one for each stage. At the time of the event's id, which is none when the sender chose
 * it: a repeat must lead to the same rows.
 */
function idsOf({ id }: CommonEnvelope, consumers: readonly RegisteredStage[]): readonly Uuid[] {
  if (consumers.length === 1) return [id];
  return consumers.map(({ definition }) => derivedId(timeOfId(id), id, definition.name));
}

/** The sender's trace goes on; what is not a valid trace context begins a new one, as W3C asks. */
function continuedTrace(traceParent: string | undefined): string {
  return traceParent !== undefined && parseTraceParent(traceParent) !== undefined
    ? traceParent
    : newTraceParent();
}

function refuseReserved(source: string | undefined): void {
  if (source === undefined || !isReservedSource(source)) return;
  const fault = { field: 'source', problem: reservedSourceProblem };
  throw new AppError('MILLRACE_MESSAGE_INVALID', `source ${fault.problem}`, { faults: [fault] });
}

function boundedText(field: string, text: string): string {
  if (text.length > 0 && text.length <= maxTextLength && isStorableText(text)) return text;
  const problem = `must have 1 to ${maxTextLength} characters of well-formed Unicode and no U+0000`;
  throw new AppError('MILLRACE_MESSAGE_INVALID', `${field} ${problem}`, { faults: [{ field, problem }] });
}
