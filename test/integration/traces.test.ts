import { context, propagation } from '@opentelemetry/api';
import { generateText } from 'ai';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineMessage } from '../../src/messages/message-type.ts';
import type { Message } from '../../src/messages/message.ts';
import type { StageContext } from '../../src/engine/pipeline/stage-context.ts';
import { defineStage } from '../../src/engine/pipeline/stage-definition.ts';
import type { RegisteredStage } from '../../src/engine/pipeline/stage-registry.ts';
import { newTraceParent, parseTraceParent, traceIdOf } from '../../src/telemetry/trace-context.ts';
import { attributesOf, type ReceivedSpan } from '../support/otlp-receiver.ts';
import { startTracedHost, type TracedHost, type TracedHostOptions } from '../support/traced-host.ts';
import { DeadLetterService } from '../../src/capabilities/dead-letters/dead-letter-service.ts';

/* Three stages: one that splits, one that asks a model, one that stores, or fails when told to. */

const Document = defineMessage('document').version(1, z.object({ parts: z.number() }));
const Part = defineMessage('part').version(1, z.object({ index: z.number() }));
const Answer = defineMessage('answer').version(1, z.object({ text: z.string() }));

const retry = { maxAttempts: 1, backoff: ['1s'], jitter: 0 } as const;
const split = defineStage('split', { consumes: Document.upTo(1), emits: [Part.v1] });
const ask = defineStage('ask', { consumes: Part.upTo(1), emits: [Answer.v1], pipeline: 'documents' });
const store = defineStage('store', { consumes: Answer.upTo(1), retry });

class Pipeline {
  readonly baggage: Record<string, string>[] = [];
  fault: string | undefined;

  get stages(): RegisteredStage[] {
    const stage = (definition: unknown, handle: (message: never, ctx: StageContext) => unknown) =>
      ({ definition, handler: { handle } }) as RegisteredStage;
    return [
      stage(split, (message: Message<{ parts: number }>, ctx) => {
        for (let index = 0; index < message.data.parts; index += 1) ctx.emit(Part.v1, { index });
      }),
      stage(ask, async (message: Message<{ index: number }>, ctx) => {
        await Promise.resolve();
        const entries = propagation.getActiveBaggage()?.getAllEntries() ?? [];
        this.baggage.push(Object.fromEntries(entries.map(([name, { value }]) => [name, value])));
        const { text } = await generateText({
          model: ctx.model('openai/gpt-5-mini', { step: 'answer' }),
          prompt: `Part ${message.data.index}`,
        });
        ctx.emit(Answer.v1, { text });
      }),
      stage(store, (_message, ctx) => {
        ctx.logger.info({}, 'storing');
        if (this.fault !== undefined) throw new Error(this.fault);
      }),
    ];
  }
}

const origin = { team: 'blue', customer: 'acme', feature: 'search', batch: 'night-1' };
const caller = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

let traced: TracedHost;
let pipeline: Pipeline;
afterEach(() => traced.close());

const start = async (options: Omit<TracedHostOptions, 'stages'> = {}): Promise<void> => {
  pipeline = new Pipeline();
  traced = await startTracedHost({ ...options, stages: pipeline.stages });
};
const run = async (parts = 1, traceParent?: string): Promise<string> => {
  const { messageIds } = await traced.host.admissions.admit(
    Document.v1,
    { parts },
    { origin, ...(traceParent === undefined ? {} : { traceParent }) },
  );
  await traced.runDue();
  return messageIds[0] ?? '';
};
const named = (spans: readonly ReceivedSpan[], name: string): ReceivedSpan => {
  const found = spans.filter((span) => span.name === name);
  expect(found, `spans "${name}" among ${spans.map((span) => span.name).join(', ')}`).toHaveLength(1);
  return found[0] as ReceivedSpan;
};

describe('the trace of a message', () => {
  it('goes from its sender through every stage to each call, with real parents', async () => {
    await start();
    const rootId = await run(1, caller);
    const spans = await traced.spans();
    const send = named(spans, 'send document');
    const chain = ['send document', 'process split', 'process ask', 'process store'].map((name) =>
      named(spans, name),
    );
    expect(new Set(spans.map((span) => span.traceId))).toEqual(new Set([traceIdOf(caller)]));
    expect(send.parentSpanId).toBe(parseTraceParent(caller)?.spanId);
    for (const [index, span] of chain.slice(1).entries())
      expect(span.parentSpanId).toBe(chain[index]?.spanId);
    const asking = named(spans, 'process ask');
    const call = named(spans, 'chat gpt-5-mini');
    expect(call.parentSpanId).toBe(asking.spanId);
    expect(spans).toHaveLength(5);

    expect(attributesOf(send)).toMatchObject({
      'messaging.system': 'millrace',
      'messaging.operation.type': 'send',
      'messaging.destination.name': 'document',
      'messaging.message.id': rootId,
      'millrace.outcome': 'admitted',
    });
    expect(attributesOf(asking)).toMatchObject({
      'messaging.system': 'millrace',
      'messaging.operation.type': 'process',
      'messaging.destination.name': 'ask',
      'messaging.message.id': expect.any(String),
      'millrace.origin.team': 'blue',
      'millrace.origin.customer': 'acme',
      'millrace.message.root_id': rootId,
      'millrace.message.parent_id': rootId,
      'millrace.attempt': 1,
      'millrace.cost_usd': '0.00045',
      'millrace.outcome': 'completed',
      'millrace.queue_wait_seconds': expect.any(Number),
    });
    expect(attributesOf(call)).toMatchObject({
      'gen_ai.request.model': 'gpt-5-mini',
      'millrace.stage': 'ask',
    });
  });

  it('shows of the origin what is allowed, as attributes and as baggage of the handler', async () => {
    await start({ tracing: { originAttributes: ['team', 'feature'] } });
    await run();
    const shown = { 'millrace.origin.team': 'blue', 'millrace.origin.feature': 'search' };
    expect(pipeline.baggage).toEqual([shown]);
    for (const span of await traced.spans()) {
      const attributes = attributesOf(span);
      expect(attributes).toMatchObject(shown);
      expect(attributes).not.toHaveProperty('millrace.origin.customer');
      expect(attributes).not.toHaveProperty('millrace.origin.batch');
    }
  });

  it('is split at a big fan-out: every emission begins its own trace, linked both ways', async () => {
    await start({ tracing: { fanOutLinks: 3 } });
    await run(4);
    const spans = await traced.spans();
    const splitting = named(spans, 'process split');
    const sendings = spans.filter((span) => span.name === 'send part');
    expect(new Set(sendings.map((span) => span.traceId)).size).toBe(4);
    for (const sending of sendings) {
      expect(sending.parentSpanId ?? '').toBe('');
      expect(sending.traceId).not.toBe(splitting.traceId);
      expect(sending.links).toMatchObject([{ traceId: splitting.traceId, spanId: splitting.spanId }]);
      const taken = spans.filter((span) => span.traceId === sending.traceId && span.name === 'process ask');
      expect(taken.map((span) => span.parentSpanId)).toEqual([sending.spanId]);
    }
    expect(new Set(splitting.links?.map((link) => link.spanId))).toEqual(
      new Set(sendings.map((span) => span.spanId)),
    );
  });

  it('stays one up to the bound of the fan-out', async () => {
    await start({ tracing: { fanOutLinks: 3 } });
    await run(3);
    const spans = await traced.spans();
    expect(new Set(spans.map((span) => span.traceId)).size).toBe(1);
    expect(spans.filter((span) => span.name === 'process ask')).toHaveLength(3);
  });

  it('shows a run that failed as an error, by its code alone, and says what became of it', async () => {
    await start();
    pipeline.fault = 'the text of a customer';
    await run();
    const spans = await traced.spans();
    const failed = named(spans, 'process store');
    expect(failed.status).toMatchObject({ code: 2, message: 'MILLRACE_STAGE_FAILED' });
    expect(attributesOf(failed)).toMatchObject({
      'millrace.outcome': 'dead_lettered',
      'error.type': 'MILLRACE_STAGE_FAILED',
    });
    expect(JSON.stringify(spans)).not.toContain(pipeline.fault);
  });

  it('is named in the log, in usage records and in the dead letter', async () => {
    await start();
    pipeline.fault = 'broken';
    await run(1, caller);
    const traceId = traceIdOf(caller);
    expect(traced.log.find((line) => line['message'] === 'storing')).toMatchObject({ traceId });
    expect(traced.log.find((line) => line['level'] === 'error')).toMatchObject({ traceId });
    expect(await traced.usageRecords()).toMatchObject([{ trace_id: traceId }]);
    const { deadLetters } = await traced.host.service(DeadLetterService).list({}, {}, { limit: 10 });
    expect(deadLetters).toMatchObject([{ stage: 'store', traceId }]);
    expect((await traced.spans()).every((span) => span.traceId === traceId)).toBe(true);
  });
});

describe('sampling', () => {
  it('exports nothing at ratio 0 of messages that go well and cheaply', async () => {
    await start({ tracing: { sampleRatio: 0 } });
    await run();
    expect(await traced.spans()).toEqual([]);
  });

  it('keeps the whole trace of a dead letter at ratio 0, and of no other message', async () => {
    await start({ tracing: { sampleRatio: 0 } });
    await run();
    pipeline.fault = 'broken';
    const dying = newTraceParent();
    await run(1, dying);
    pipeline.fault = undefined;
    await run();
    const spans = await traced.spans();
    expect(new Set(spans.map((span) => span.traceId))).toEqual(new Set([traceIdOf(dying)]));
    expect(spans.map((span) => span.name).toSorted()).toEqual([
      'chat gpt-5-mini',
      'process ask',
      'process split',
      'process store',
      'send document',
    ]);
  });

  it('keeps a message at ratio 0 whose run cost as much as the limit, and what follows from it', async () => {
    await start({
      tracing: { sampleRatio: 0, keepAboveUsd: '0.010' },
      usage: { uncachedInput: 40_000, textOutput: 0 },
    });
    await run();
    const spans = await traced.spans();
    expect(attributesOf(named(spans, 'process ask'))).toMatchObject({ 'millrace.cost_usd': '0.01' });
    expect(spans).toHaveLength(5);
  });

  it('drops a message at ratio 0 whose run cost less than the limit', async () => {
    await start({
      tracing: { sampleRatio: 0, keepAboveUsd: '0.010' },
      usage: { uncachedInput: 39_999, textOutput: 0 },
    });
    await run();
    expect(await traced.spans()).toEqual([]);
  });

  it('keeps to what the caller left out, unless it fails', async () => {
    await start();
    const left = newTraceParent().replace(/01$/, '00');
    await run(1, left);
    expect(pipeline.baggage).toHaveLength(1);
    pipeline.fault = 'broken';
    const failing = newTraceParent().replace(/01$/, '00');
    await run(1, failing);
    const spans = await traced.spans();
    expect(new Set(spans.map((span) => span.traceId))).toEqual(new Set([traceIdOf(failing)]));
  });
});

describe('without an endpoint', () => {
  it('makes no span, no baggage and no context, and messages have their trace id all the same', async () => {
    await start({ isTraced: false });
    const before = context.active();
    await run(1, caller);
    expect(context.active()).toBe(before);
    expect(pipeline.baggage).toEqual([{}]);
    expect(await traced.usageRecords()).toMatchObject([{ trace_id: traceIdOf(caller) }]);
    expect(await traced.spans()).toEqual([]);
  });
});
