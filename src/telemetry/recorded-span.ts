import {
  type AnyValue,
  type Attributes,
  type Exception,
  type Link,
  type Span,
  type SpanContext,
  type SpanKind,
  type SpanStatus,
  SpanStatusCode,
  type TimeInput,
} from '@opentelemetry/api';
import type { Clock } from '../kernel/clock.ts';

/*
 * A span that is recorded for export. It does what OpenTelemetry's interface says and no more: attributes are not checked
 * when they are set, since nearly all come from this code; what cannot be exported is left out when the span is rendered.
 */

/** Something that happened within a span. */
export interface SpanEvent {
  readonly name: string;
  readonly atMs: number;
  readonly attributes: Attributes;
}

export interface SpanStart {
  readonly name: string;
  readonly kind: SpanKind;
  readonly context: SpanContext;
  readonly parentSpanId: string | undefined;
  /** Becomes the span's own. */
  readonly attributes: Attributes;
  readonly links: readonly Link[];
  readonly startTime: TimeInput | undefined;
  readonly clock: Clock;
  /** Told once, when the span has ended. */
  readonly onEnd: (span: RecordedSpan) => void;
}

/** The most attributes, events and links of one span, each; further ones are dropped. The numbers of the specification. */
const maxOfEach = 128;

export class RecordedSpan implements Span {
  readonly kind: SpanKind;
  readonly parentSpanId: string | undefined;
  readonly attributes: Attributes;
  /** Milliseconds since 1970, with a fraction. */
  readonly startMs: number;
  readonly #context: SpanContext;
  readonly #clock: Clock;
  readonly #onEnd: (span: RecordedSpan) => void;
  /** Of the monotonic clock and of the wall clock, at the same moment. */
  readonly #madeAtMs: number;
  readonly #madeOnMs: number;
  #name: string;
  #links: readonly Link[];
  #events: SpanEvent[] | undefined;
  #status: SpanStatus = { code: SpanStatusCode.UNSET };
  #endMs: number | undefined;

  constructor({ name, kind, context, parentSpanId, attributes, links, startTime, clock, onEnd }: SpanStart) {
    this.#name = name;
    this.#clock = clock;
    this.#madeAtMs = clock.monotonicMs();
    this.#madeOnMs = clock.now().getTime();
    this.kind = kind;
    this.#context = context;
    this.parentSpanId = parentSpanId;
    this.attributes = attributes;
    this.#links = links;
    this.#onEnd = onEnd;
    this.startMs = startTime === undefined ? this.#madeOnMs : msOf(startTime);
  }

  get name(): string {
    return this.#name;
  }
  get links(): readonly Link[] {
    return this.#links;
  }
  get events(): readonly SpanEvent[] {
    return this.#events ?? [];
  }
  get status(): SpanStatus {
    return this.#status;
  }
  /** When it ended, or its start as long as it has not. */
  get endMs(): number {
    return this.#endMs ?? this.startMs;
  }

  spanContext(): SpanContext {
    return this.#context;
  }

  isRecording(): boolean {
    return this.#endMs === undefined;
  }

  setAttribute(key: string, value: AnyValue): this {
    if (this.isRecording()) this.attributes[key] = value;
    return this;
  }

  setAttributes(attributes: Attributes): this {
    if (this.isRecording()) Object.assign(this.attributes, attributes);
    return this;
  }

  addEvent(name: string, attributesOrTime?: Attributes | TimeInput, time?: TimeInput): this {
    if (!this.isRecording()) return this;
    const hasAttributes = isAttributes(attributesOrTime);
    const at = hasAttributes ? time : attributesOrTime;
    const events = (this.#events ??= []);
    if (events.length < maxOfEach)
      events.push({
        name,
        atMs: at === undefined ? this.#nowMs() : msOf(at),
        attributes: hasAttributes ? attributesOrTime : {},
      });
    return this;
  }

  addLink(link: Link): this {
    return this.addLinks([link]);
  }

  addLinks(links: readonly Link[]): this {
    if (this.isRecording()) this.#links = [...this.#links, ...links].slice(0, maxOfEach);
    return this;
  }

  setStatus(status: SpanStatus): this {
    if (this.isRecording()) this.#status = status;
    return this;
  }

  updateName(name: string): this {
    if (this.isRecording()) this.#name = name;
    return this;
  }

  recordException(exception: Exception, time?: TimeInput): void {
    const { name, message, stack } =
      typeof exception === 'string'
        ? { name: undefined, message: exception, stack: undefined }
        : { name: exception.name, message: exception.message, stack: exception.stack };
    this.addEvent(
      'exception',
      { 'exception.type': name, 'exception.message': message, 'exception.stacktrace': stack },
      time,
    );
  }

  end(endTime?: TimeInput): void {
    if (!this.isRecording()) return;
    this.#endMs = Math.max(this.startMs, endTime === undefined ? this.#nowMs() : msOf(endTime));
    this.#onEnd(this);
  }

  /** The wall clock as it was when the span was made, and what the monotonic one has added since. */
  #nowMs(): number {
    return this.#madeOnMs + this.#clock.monotonicMs() - this.#madeAtMs;
  }
}

function isAttributes(value: Attributes | TimeInput | undefined): value is Attributes {
  return typeof value === 'object' && !Array.isArray(value) && !(value instanceof Date);
}

/** Milliseconds since 1970. OpenTelemetry takes a date, such milliseconds, those of performance.now(), or seconds and nanoseconds. */
function msOf(time: TimeInput): number {
  if (typeof time === 'number') return time < performance.timeOrigin ? performance.timeOrigin + time : time;
  if (time instanceof Date) return time.getTime();
  return time[0] * 1e3 + time[1] / 1e6;
}
