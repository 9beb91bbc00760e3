import { setTimeout as later } from 'node:timers/promises';
import { type Attributes, SpanKind, trace, ROOT_CONTEXT } from '@opentelemetry/api';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import {
  BatchSpanProcessor,
  type ReadableSpan,
  type SpanExporter,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { newId } from '../src/kernel/ids.ts';
import { genAi, millraceAttributes } from '../src/telemetry/genai-attributes.ts';
import { removeSecrets } from '../src/telemetry/known-secrets.ts';
import type { SpanMaker } from '../src/telemetry/message-tracer.ts';
import { messaging, messagingSystem } from '../src/telemetry/messaging-attributes.ts';
import { startTracing } from '../src/telemetry/tracing.ts';
import { benchOptions } from './bench-options.ts';
import { startOtlpSink } from './otlp-sink.ts';
import { median, rotated, spreadOf, written } from './statistics.ts';

const help = `node bench/spans.ts [--stages 50000] [--rounds 5]

What the spans of a stage cost in processor time: a run's and its call's, made, ended and sent to a receiver in another
process. Millrace's own beside OpenTelemetry's SDK with its two exporters, in turn, in this process.
`;

const flags = benchOptions(help, {
  stages: { type: 'string', default: '50000' },
  rounds: { type: 'string', default: '5' },
});
const stages = Number(flags.stages);
/** Fewer than the 8,192 spans that wait at most, so that none is dropped. */
const stagesAtOnce = 2000;

/** A way to make spans and have them sent. */
interface Subject {
  readonly tracer: SpanMaker;
  /** Of all that were made, how many were not sent. */
  close(): Promise<number>;
}

function ownSubject(endpoint: string): Subject {
  let dropped = 0;
  const onDropped = (_reason: string, count: number): void => void (dropped += count);
  const tracing = startTracing({
    endpoint,
    serviceName: 'bench',
    version: '1',
    sampleRatio: 1,
    onDropped,
  });
  return {
    tracer: tracing.tracer,
    close: async () => {
      await tracing.shutdown();
      return dropped;
    },
  };
}

/** The SDK, with secrets removed from what it sends, as Millrace does. */
function sdkSubject(exporter: SpanExporter): Subject {
  let sent = 0;
  let made = 0;
  const clean: SpanExporter = {
    export: (spans, done) => {
      for (const span of spans) removeSecretsOf(span);
      exporter.export(spans, (result) => {
        if (result.error === undefined) sent += spans.length;
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
  };
  const processor = new BatchSpanProcessor({
    exporter: clean,
    maxQueueSize: 8192,
    maxExportBatchSize: 512,
    scheduledDelayMillis: 1000,
  });
  const provider = new TracerProvider({ spanProcessors: [processor] });
  const tracer = provider.getTracer('bench', '1');
  return {
    tracer: {
      startSpan: (name, options, context) => {
        made += 1;
        return tracer.startSpan(name, options, context);
      },
    },
    close: async () => {
      await provider.shutdown();
      return made - sent;
    },
  };
}

/** In place, which is the cheapest: a span that has ended is written by nobody else. */
function removeSecretsOf({ attributes }: ReadableSpan): void {
  for (const key in attributes) {
    const value = attributes[key];
    if (typeof value === 'string') attributes[key] = removeSecrets(value);
  }
}

const subjects = {
  'Millrace, JSON': ownSubject,
  'SDK, JSON': (url: string) => sdkSubject(new JsonExporter({ url })),
  'SDK, protocol buffers': (url: string) => sdkSubject(new ProtobufExporter({ url })),
};
type SubjectName = keyof typeof subjects;
const names = Object.keys(subjects) as SubjectName[];

const ids = Array.from({ length: 512 }, () => newId(new Date()));
let nextId = 0;
const someId = (): string => ids[(nextId += 1) % ids.length] ?? '';

function originOf(messageId: string): Attributes {
  return {
    [millraceAttributes.team]: 'support',
    [millraceAttributes.customer]: 'acme',
    [millraceAttributes.feature]: 'triage',
    [millraceAttributes.stage]: 'summarise',
    [millraceAttributes.messageId]: messageId,
  };
}

/** The spans of one stage, with the attributes that the engine gives them. */
function traceStage(tracer: SpanMaker): void {
  const messageId = someId();
  const run = tracer.startSpan(
    'process summarise',
    {
      kind: SpanKind.CONSUMER,
      attributes: {
        ...originOf(messageId),
        [messaging.system]: messagingSystem,
        [messaging.operationName]: 'process',
        [messaging.operationType]: 'process',
        [messaging.destinationName]: 'summarise',
        [messaging.messageId]: messageId,
        [millraceAttributes.pipeline]: 'documents',
        [millraceAttributes.rootId]: someId(),
        [millraceAttributes.parentId]: someId(),
        [millraceAttributes.attempt]: 1,
        [millraceAttributes.queueWait]: 0.125,
      },
    },
    ROOT_CONTEXT,
  );
  const call = tracer.startSpan(
    'chat gpt-5-mini',
    {
      kind: SpanKind.CLIENT,
      startTime: new Date(),
      attributes: {
        ...originOf(messageId),
        [genAi.operationName]: 'chat',
        [genAi.providerName]: 'openai',
        [genAi.requestModel]: 'gpt-5-mini',
        [millraceAttributes.callId]: someId(),
        [millraceAttributes.step]: 'summary',
        [millraceAttributes.attempt]: 1,
      },
    },
    trace.setSpan(ROOT_CONTEXT, run),
  );
  call.setAttribute(genAi.inputTokens, 812);
  call.setAttribute(genAi.outputTokens, 96);
  call.setAttribute(genAi.responseModel, 'gpt-5-mini-2026-01-01');
  call.setAttribute(genAi.responseId, 'chatcmpl-9f8a7b6c5d4e3f2a1b0c');
  call.setAttribute(millraceAttributes.costUsd, '0.000395');
  call.setAttribute(millraceAttributes.priceReference, 'genai-prices:0.1.8/openai/gpt-5-mini');
  call.end();
  run.setAttribute(millraceAttributes.costUsd, '0.000395');
  run.setAttribute(millraceAttributes.outcome, 'completed');
  run.end();
}

/** Microseconds of processor time a stage. */
async function measure(name: SubjectName, endpoint: string, count: number): Promise<number> {
  const subject = subjects[name](endpoint);
  const before = process.cpuUsage();
  for (let done = 0; done < count;) {
    for (const until = Math.min(count, done + stagesAtOnce); done < until; done += 1) {
      traceStage(subject.tracer);
      // As between stages: what is due may be sent.
      if (done % 100 === 99) await later(0);
    }
    await later(50);
  }
  const notSent = await subject.close();
  const { user, system } = process.cpuUsage(before);
  if (notSent > 0) throw new Error(`${name}: ${notSent} spans were not sent`);
  return (user + system) / count;
}

const sink = await startOtlpSink();
const measured = new Map<SubjectName, number[]>(names.map((name) => [name, []]));
try {
  for (let round = 0; round <= Number(flags.rounds); round += 1) {
    for (const name of rotated(names, round)) {
      const microseconds = await measure(name, sink.endpoint, stages);
      // The first round warms up and does not count.
      if (round > 0) measured.get(name)?.push(microseconds);
    }
  }
} finally {
  await sink.stop();
}
const own = median(measured.get('Millrace, JSON') ?? []);
for (const [name, values] of measured) {
  const more = median(values) - own;
  console.log(
    `${name}: ${written(spreadOf(values), 1)} µs of processor time a stage of two spans, ${more.toFixed(1)} more than Millrace's own`,
  );
}
