import { context, ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api';
import { afterEach, describe, expect, it } from 'vitest';
import { OtlpReceiver } from '../../test/support/otlp-receiver.ts';
import type { MessageEnvelope } from '../messages/message.ts';
import { genAi, millraceAttributes } from './genai-attributes.ts';
import { originFields } from './origin-attributes.ts';
import { linksTo, messageAttributes, parentContext } from './span-context.ts';
import { newTraceParent, traceIdOf } from './trace-context.ts';
import { startTracing, type Tracing } from './tracing.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function tracingToReceiver(sampleRatio = 1): Promise<{ tracing: Tracing; receiver: OtlpReceiver }> {
  const receiver = new OtlpReceiver();
  const endpoint = await receiver.start();
  closers.push(() => receiver.stop());
  const tracing = startTracing({
    endpoint: `${endpoint}/v1/traces`,
    headers: { 'x-tenant': 'one' },
    serviceName: 'millrace',
    version: '1.2.3',
    sampleRatio,
  });
  return { tracing, receiver };
}

const now = new Date('2026-05-04T03:02:01.000Z');
const message: MessageEnvelope = {
  id: '0190c7e2-0000-7000-8000-000000000001',
  rootId: '0190c7e2-0000-7000-8000-000000000000',
  parentId: undefined,
  source: '/test',
  eventId: 'e1',
  type: 'document.fetched',
  version: 1,
  pipeline: 'documents',
  stage: 'summarise',
  owner: 'docs',
  lane: 'standard',
  origin: { team: 'search', customer: 'acme', feature: 'summary', batch: 'night-1' },
  item: 'readme',
  traceParent: newTraceParent(),
  createdAt: now,
  admittedAt: now,
};

describe('tracing', () => {
  it('exports spans with GenAI attributes and the origin, in the trace of the message', async () => {
    const { tracing, receiver } = await tracingToReceiver();
    const { tracer } = tracing;
    const stageSpan = tracer.startSpan(
      'summarise',
      { kind: SpanKind.CONSUMER, attributes: messageAttributes(message, originFields) },
      parentContext(message.traceParent),
    );
    context.with(trace.setSpan(ROOT_CONTEXT, stageSpan), () => {
      const call = tracer.startSpan('chat gpt-5-mini', { kind: SpanKind.CLIENT });
      call.setAttributes({
        [genAi.operationName]: 'chat',
        [genAi.requestModel]: 'gpt-5-mini',
        [genAi.inputTokens]: 120,
        [millraceAttributes.costUsd]: '0.000123',
      });
      call.end();
      stageSpan.end();
    });
    await tracing.shutdown();

    const [call, stage] = receiver.spans();
    expect(stage).toMatchObject({
      name: 'summarise',
      traceId: traceIdOf(message.traceParent),
      parentSpanId: message.traceParent.slice(36, 52),
    });
    expect(call).toMatchObject({
      name: 'chat gpt-5-mini',
      traceId: stage?.traceId,
      parentSpanId: stage?.spanId,
    });
    expect(call?.attributes).toEqual(
      expect.arrayContaining([
        { key: 'gen_ai.operation.name', value: { stringValue: 'chat' } },
        { key: 'gen_ai.request.model', value: { stringValue: 'gpt-5-mini' } },
        { key: 'gen_ai.usage.input_tokens', value: { intValue: 120 } },
        { key: 'millrace.cost_usd', value: { stringValue: '0.000123' } },
      ]),
    );
    expect(stage?.attributes).toEqual(
      expect.arrayContaining([
        { key: 'millrace.origin.team', value: { stringValue: 'search' } },
        { key: 'millrace.origin.customer', value: { stringValue: 'acme' } },
        { key: 'millrace.origin.feature', value: { stringValue: 'summary' } },
        { key: 'millrace.origin.batch', value: { stringValue: 'night-1' } },
        { key: 'millrace.message.id', value: { stringValue: message.id } },
      ]),
    );
    expect(receiver.received[0]?.resourceSpans[0]?.resource.attributes).toEqual(
      expect.arrayContaining([
        { key: 'service.name', value: { stringValue: 'millrace' } },
        { key: 'service.version', value: { stringValue: '1.2.3' } },
      ]),
    );
    expect(receiver.headers[0]).toMatchObject({ url: '/v1/traces', 'x-tenant': 'one' });
  });

  it('keeps the active span across awaits', async () => {
    const { tracing } = await tracingToReceiver();
    const span = tracing.tracer.startSpan('outer');
    await context.with(trace.setSpan(ROOT_CONTEXT, span), async () => {
      await Promise.resolve();
      expect(trace.getSpan(context.active())).toBe(span);
      span.end();
    });
    await tracing.shutdown();
  });

  it('samples by trace id, alike for every span of a trace, also under a remote parent', async () => {
    const { tracing, receiver } = await tracingToReceiver(0.5);
    const traceParents = Array.from({ length: 400 }, newTraceParent);
    for (const traceParent of traceParents) {
      tracing.tracer.startSpan('first', {}, parentContext(traceParent)).end();
      tracing.tracer.startSpan('second', {}, parentContext(traceParent)).end();
    }
    await tracing.shutdown();
    const byTrace = Map.groupBy(receiver.spans(), (span) => span.traceId);
    for (const spans of byTrace.values()) expect(spans).toHaveLength(2);
    // 200 on average; these bounds are ten standard deviations away.
    expect(byTrace.size).toBeGreaterThan(100);
    expect(byTrace.size).toBeLessThan(300);
  });

  it('exports nothing of a trace that its caller did not sample', async () => {
    const { tracing, receiver } = await tracingToReceiver();
    tracing.tracer.startSpan('quiet', {}, parentContext(newTraceParent().replace(/01$/, '00'))).end();
    tracing.tracer.startSpan('loud', {}, parentContext(newTraceParent())).end();
    await tracing.shutdown();
    expect(receiver.spans().map((span) => span.name)).toEqual(['loud']);
  });

  it('links to another trace instead of joining it, and ignores what is not a traceparent', async () => {
    const { tracing, receiver } = await tracingToReceiver();
    const origin = newTraceParent();
    tracing.tracer.startSpan('linked', { links: linksTo(origin) }, parentContext('nonsense')).end();
    await tracing.shutdown();
    const [span] = receiver.spans();
    expect(span?.links?.[0]?.traceId).toBe(traceIdOf(origin));
    expect(span?.traceId).not.toBe(traceIdOf(origin));
    expect(linksTo('nonsense')).toEqual([]);
  });

  it('does nothing, and ends at once, without an endpoint', async () => {
    const tracing = startTracing({ serviceName: 'millrace', version: '1.2.3', sampleRatio: 1 });
    const span = tracing.tracer.startSpan('nothing');
    expect(span.isRecording()).toBe(false);
    span.end();
    await tracing.shutdown();
  });
});
