import {
  type Context,
  context,
  INVALID_TRACEID,
  type Span,
  type SpanContext,
  SpanKind,
  type SpanOptions,
  trace,
  TraceFlags,
} from '@opentelemetry/api';
import { type Clock, systemClock } from '../kernel/clock.ts';
import type { SpanMaker } from './message-tracer.ts';
import { RecordedSpan } from './recorded-span.ts';
import { randomSpanId, randomTraceId } from './trace-context.ts';

export interface SpanTracerOptions {
  /** Share of traces to export, 0 to 1. */
  readonly sampleRatio: number;
  /** Default the machine's. */
  readonly clock?: Clock;
  /** Takes every span that has ended, chosen or not. */
  readonly onEnd: (span: RecordedSpan) => void;
}

/**
 * Makes spans, and decides which traces are chosen: a trace that begins here, or that a caller chose in another process, by
 * its id and the ratio, so that every process decides alike; under a span of this process as that one was.
 */
export class SpanTracer implements SpanMaker {
  readonly #sampleRatio: number;
  readonly #clock: Clock;
  readonly #onEnd: (span: RecordedSpan) => void;

  constructor({ sampleRatio, clock = systemClock, onEnd }: SpanTracerOptions) {
    this.#sampleRatio = sampleRatio;
    this.#clock = clock;
    this.#onEnd = onEnd;
  }

  /** The attributes that are given become the span's own. */
  startSpan(name: string, options: SpanOptions = {}, parentContext: Context = context.active()): Span {
    const { kind = SpanKind.INTERNAL, attributes = {}, links = [], startTime, root = false } = options;
    const parent = root ? undefined : parentOf(parentContext);
    const traceId = parent?.traceId ?? randomTraceId();
    const traceFlags = this.#isChosen(traceId, parent) ? TraceFlags.SAMPLED : TraceFlags.NONE;
    const traceState = parent?.traceState;
    return new RecordedSpan({
      name,
      kind,
      context: {
        traceId,
        spanId: randomSpanId(),
        traceFlags,
        ...(traceState === undefined ? {} : { traceState }),
      },
      parentSpanId: parent?.spanId,
      attributes,
      links,
      startTime,
      clock: this.#clock,
      onEnd: this.#onEnd,
    });
  }

  #isChosen(traceId: string, parent: SpanContext | undefined): boolean {
    if (parent !== undefined) {
      const isParentChosen = (parent.traceFlags & TraceFlags.SAMPLED) !== 0;
      // A message that was admitted without spans says "chosen": the ratio has to decide there, too.
      if (!isParentChosen || parent.isRemote !== true) return isParentChosen;
    }
    return this.#sampleRatio >= 1 || shareOf(traceId) < this.#sampleRatio;
  }
}

/** The parent that a context names. An application may put an empty one there, which is none. */
function parentOf(from: Context): SpanContext | undefined {
  const spanContext = trace.getSpanContext(from);
  return spanContext === undefined || spanContext.traceId === INVALID_TRACEID ? undefined : spanContext;
}

/** Where a trace stands between 0 and 1: by its last 13 digits, which W3C's level 2 has random, as far as a double counts. */
function shareOf(traceId: string): number {
  return Number.parseInt(traceId.slice(-13), 16) / 16 ** 13;
}
