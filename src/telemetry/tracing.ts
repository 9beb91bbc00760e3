import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
  createAlwaysRecordSampler,
} from '@opentelemetry/sdk-trace';
import { usd } from '../kernel/money.ts';
import { KeepingProcessor } from './keeping-processor.ts';
import type { MessageTracer } from './message-tracer.ts';
import { type OriginField, originFields } from './origin-attributes.ts';

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
}

export interface Tracing extends MessageTracer {
  /** Exports what is waiting, then stops. Rejects when the last export failed. */
  shutdown(): Promise<void>;
}

/*
 * Bounds of what waits for export. A full queue drops spans: traces are a view, and the ledger is the record.
 */
const maxQueuedSpans = 8192;
const maxSpansPerExport = 512;
const exportDelayMs = 1000;
const exportTimeoutMs = 10_000;

/**
 * Starts tracing. Without an endpoint the tracer is the one that the surrounding application registered with
 * OpenTelemetry, and one that does nothing when there is none.
 */
export function startTracing(options: TracingOptions): Tracing {
  const { originAttributes = originFields, keepAboveUsd = '0.10' } = options;
  if (options.endpoint === undefined) {
    return {
      tracer: trace.getTracer('millrace', options.version),
      originFields: originAttributes,
      shutdown: () => Promise.resolve(),
    };
  }
  const sampler = new TraceIdRatioBasedSampler(options.sampleRatio);
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': options.serviceName,
      'service.version': options.version,
    }),
    // A message that was admitted without spans carries a traceparent that says "sampled": the ratio has to decide there
    // too. What it leaves out is recorded all the same, in case that there is a reason to keep it.
    sampler: createAlwaysRecordSampler(
      new ParentBasedSampler({ root: sampler, remoteParentSampled: sampler }),
    ),
    spanProcessors: [
      new KeepingProcessor({
        next: batchProcessor(options, options.endpoint),
        keepFromUsd: usd(keepAboveUsd),
      }),
    ],
  });
  const contextManager = new AsyncLocalStorageContextManager().enable();
  // False when the application has one already; spans nest through that one then.
  const ownsContext = context.setGlobalContextManager(contextManager);
  return {
    tracer: provider.getTracer('millrace', options.version),
    originFields: originAttributes,
    async shutdown() {
      try {
        await provider.shutdown();
      } finally {
        if (ownsContext) context.disable();
      }
    },
  };
}

function batchProcessor({ headers }: TracingOptions, url: string): BatchSpanProcessor {
  return new BatchSpanProcessor({
    exporter: new OTLPTraceExporter({
      url,
      timeoutMillis: exportTimeoutMs,
      ...(headers === undefined ? {} : { headers: { ...headers } }),
    }),
    maxQueueSize: maxQueuedSpans,
    maxExportBatchSize: maxSpansPerExport,
    scheduledDelayMillis: exportDelayMs,
    exportTimeoutMillis: exportTimeoutMs,
  });
}
