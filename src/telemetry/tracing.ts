import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { usd } from '../kernel/money.ts';
import type { MessageTracer } from './message-tracer.ts';
import { type OriginField, originFields } from './origin-attributes.ts';
import { type DropReason, SpanSender } from './span-sender.ts';
import { SpanTracer } from './span-tracer.ts';
import { TailSampler } from './tail-sampler.ts';

export interface TracingOptions {
  /** Where traces go by OTLP over HTTP, as a whole address ("http://127.0.0.1:4318/v1/traces"). None: not exported. */
  readonly endpoint?: string;
  /** Sent with every export (authorisation). */
  readonly headers?: Readonly<Record<string, string>>;
  readonly serviceName: string;
  readonly version: string;
  /** Share of traces to export, 0 to 1. Decided from the trace id, so that every process decides alike. */
  readonly sampleRatio: number;
  /** Traces with a span that cost so many dollars, as decimal text, are always exported. Default "0.10". */
  readonly keepAboveUsd?: string;
  /** The parts of the origin that spans and baggage may show. Default all. */
  readonly originAttributes?: readonly OriginField[];
  /** Default the machine's. */
  readonly clock?: Clock;
  /** Called for spans that will not be seen. */
  readonly onDropped?: (reason: DropReason, count: number) => void;
  /** Called when exports begin to fail. */
  readonly onFailing?: (error: unknown) => void;
}

export interface Tracing extends MessageTracer {
  /** How many spans wait for their export. */
  waiting(): number;
  /** Exports what is waiting, then stops. Rejects when the last export failed. */
  shutdown(): Promise<void>;
}

/**
 * Starts tracing. Without an endpoint the tracer is the one that the surrounding application registered with
 * OpenTelemetry, and one that does nothing when there is none.
 */
export function startTracing(options: TracingOptions): Tracing {
  const {
    originAttributes = originFields,
    keepAboveUsd = '0.10',
    endpoint,
    headers = {},
    sampleRatio,
    clock = systemClock,
  } = options;
  if (endpoint === undefined) {
    return {
      tracer: trace.getTracer('millrace', options.version),
      originFields: originAttributes,
      waiting: () => 0,
      shutdown: () => Promise.resolve(),
    };
  }
  const sender = new SpanSender({
    source: options,
    endpoint,
    headers,
    clock,
    onDropped: options.onDropped ?? (() => undefined),
    onFailing: options.onFailing ?? (() => undefined),
  });
  const sampler = new TailSampler({ next: (span) => sender.add(span), keepFromUsd: usd(keepAboveUsd) });
  const contextManager = new AsyncLocalStorageContextManager().enable();
  // False when the application has one already; spans nest through that one then.
  const ownsContext = context.setGlobalContextManager(contextManager);
  return {
    tracer: new SpanTracer({ sampleRatio, clock, onEnd: (span) => sampler.take(span) }),
    originFields: originAttributes,
    waiting: () => sender.waiting,
    async shutdown() {
      try {
        await sender.close();
      } finally {
        if (ownsContext) context.disable();
      }
    },
  };
}
