import { SpanStatusCode, TraceFlags } from '@opentelemetry/api';
import { type Usd, usd } from '../kernel/money.ts';
import { millraceAttributes } from './genai-attributes.ts';
import type { RecordedSpan } from './recorded-span.ts';

/*
 * Which traces leave this process. Those that the ratio chose go on at once. The spans of the others wait, as long as
 * there is room, for a reason to keep their trace:
 *
 *   waiting ─ a span of it fails, or costs as much as is always kept ─► kept: what waits goes on, and all that follows
 *      └─ room is needed, the oldest first ─► forgotten
 *
 * So a failed run leaves with its calls, and with the earlier stages of its message as far as they ran here and lately.
 * What waits is bounded; past the bound the ratio alone has decided.
 */

export interface TailSamplerOptions {
  /** Takes what is kept. */
  readonly next: (span: RecordedSpan) => void;
  /** Spans that cost so much are always kept, with their trace. */
  readonly keepFromUsd: Usd;
  /** The most spans that wait. Default 4,096. */
  readonly maxWaitingSpans?: number;
  /** The most traces that are remembered. Default 4,096. */
  readonly maxTraces?: number;
}

/** The most spans of one trace that wait; further ones are forgotten. */
const maxWaitingOfTrace = 64;

interface UnsampledTrace {
  isKept: boolean;
  waiting: RecordedSpan[];
}

export class TailSampler {
  readonly #next: (span: RecordedSpan) => void;
  readonly #keepFromUsd: Usd;
  readonly #maxWaitingSpans: number;
  readonly #maxTraces: number;
  /** In the order in which they were first seen. */
  readonly #traces = new Map<string, UnsampledTrace>();
  #waitingSpans = 0;

  constructor({ next, keepFromUsd, maxWaitingSpans = 4096, maxTraces = 4096 }: TailSamplerOptions) {
    this.#next = next;
    this.#keepFromUsd = keepFromUsd;
    this.#maxWaitingSpans = maxWaitingSpans;
    this.#maxTraces = maxTraces;
  }

  /** Takes a span that has ended. */
  take(span: RecordedSpan): void {
    const { traceId, traceFlags } = span.spanContext();
    if ((traceFlags & TraceFlags.SAMPLED) !== 0) {
      this.#next(span);
      return;
    }
    const trace = this.#traceOf(traceId);
    if (!trace.isKept && this.#isReasonToKeep(span)) this.#keep(trace);
    if (trace.isKept) {
      this.#next(span);
    } else if (trace.waiting.length < maxWaitingOfTrace) {
      trace.waiting.push(span);
      this.#waitingSpans += 1;
      this.#makeRoom();
    }
  }

  #traceOf(traceId: string): UnsampledTrace {
    const known = this.#traces.get(traceId);
    if (known !== undefined) return known;
    const trace: UnsampledTrace = { isKept: false, waiting: [] };
    this.#traces.set(traceId, trace);
    this.#makeRoom();
    return trace;
  }

  #isReasonToKeep({ status, attributes }: RecordedSpan): boolean {
    if (status.code === SpanStatusCode.ERROR) return true;
    const cost = attributes[millraceAttributes.costUsd];
    return typeof cost === 'string' && usd(cost).greaterThanOrEqualTo(this.#keepFromUsd);
  }

  #keep(trace: UnsampledTrace): void {
    trace.isKept = true;
    this.#waitingSpans -= trace.waiting.length;
    for (const span of trace.waiting.splice(0)) this.#next(span);
  }

  #makeRoom(): void {
    for (const [traceId, { waiting }] of this.#traces) {
      if (this.#waitingSpans <= this.#maxWaitingSpans && this.#traces.size <= this.#maxTraces) return;
      this.#traces.delete(traceId);
      this.#waitingSpans -= waiting.length;
    }
  }
}
