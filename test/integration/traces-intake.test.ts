import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { type Attributes, context, trace } from '@opentelemetry/api';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { BatchSpanProcessor, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { costReportSchema } from '../../src/capabilities/costs/cost-report-document.ts';
import { tracesReceiptSchema } from '../../src/capabilities/ingest/traces/traces.controller.ts';
import { Millrace } from '../../src/host/millrace.ts';
import { openStoryHost, type StoryHost } from '../support/story-host.ts';
import { requestTo } from './request-to.ts';

/** The package's enumeration is not exported where it is not a dependency. */
const compressed = JSON.parse('{"compression":"gzip"}') as object;

/* Spans of services elsewhere as usage, sent by OpenTelemetry's own exporters. */

let running: StoryHost;
let key: string;
let endpoint: string;
beforeAll(async () => {
  running = await openStoryHost();
  key = await running.newKey(['usage:write', 'costs:read']);
  endpoint = `${running.url}/v1/traces`;
});
afterAll(() => running.close());

const headers = () => ({ authorization: `Bearer ${key}` });

async function costsOf(team: string, query = 'group_by=via') {
  await new Millrace(running.host).flushUsage();
  const response = await requestTo(running.url).get(`/v1/costs?${query}&team=${team}`).set(headers());
  expect(response.status, response.text).toBe(200);
  return costReportSchema.parse(response.body).groups;
}

/** A call inside of an agent, as an SDK tells it: the agent's span has the sum. */
async function tellBy(exporter: SpanExporter, team: string, usage: Attributes): Promise<void> {
  const provider = new TracerProvider({ spanProcessors: [new BatchSpanProcessor({ exporter })] });
  const tracer = provider.getTracer('test');
  const agent = tracer.startSpan('invoke_agent', {
    attributes: { 'gen_ai.operation.name': 'invoke_agent', 'millrace.team': team, ...usage },
  });
  const inside = trace.setSpan(context.active(), agent);
  // A wrapper without an operation repeats it as well.
  const wrapper = tracer.startSpan('generate', { attributes: { 'millrace.team': team, ...usage } }, inside);
  const call = tracer.startSpan(
    'chat gpt-5-mini',
    { attributes: { 'gen_ai.operation.name': 'chat', 'millrace.team': team, ...usage } },
    trace.setSpan(context.active(), wrapper),
  );
  for (const span of [call, wrapper, agent]) span.end();
  await provider.forceFlush();
  await provider.shutdown();
}

/** 600 × 0.25 + 400 × 0.025 + 100 × 2 a million. */
const usage = {
  'gen_ai.provider.name': 'openai',
  'gen_ai.request.model': 'gpt-5-mini',
  'gen_ai.response.model': 'gpt-5-mini-2025-08-07',
  'gen_ai.usage.input_tokens': 1000,
  'gen_ai.usage.cache_read.input_tokens': 400,
  'gen_ai.usage.output_tokens': 100,
};
const cost = '0.00036';

describe('spans', () => {
  it.each([
    ['JSON', () => new JsonExporter({ url: endpoint, headers: headers() })],
    ['protocol buffers', () => new ProtobufExporter({ url: endpoint, headers: headers() })],
    [
      'protocol buffers with gzip',
      () => new ProtobufExporter({ url: endpoint, headers: headers(), ...compressed }),
    ],
  ])('of a real exporter in %s are one call each, leaves only', async (name, exporter) => {
    const team = name.replaceAll(' ', '-');
    await tellBy(exporter(), team, usage);
    expect(await costsOf(team)).toMatchObject([{ key: { via: 'otlp' }, calls: 1, costUsd: cost }]);
  });

  it.each<[string, Attributes, string]>([
    [
      'the spellings of before',
      {
        'gen_ai.system': 'openai.responses',
        'gen_ai.request.model': 'gpt-5-mini',
        'gen_ai.usage.prompt_tokens': 1000,
        'gen_ai.usage.cache_read_input_tokens': 400,
        'gen_ai.usage.completion_tokens': 100,
      },
      cost,
    ],
    [
      'OpenInference',
      {
        'openinference.span.kind': 'LLM',
        'llm.provider': 'openai',
        'llm.model_name': 'gpt-5-mini',
        'llm.token_count.prompt': 1000,
        'llm.token_count.prompt_details.cache_read': 400,
        'llm.token_count.completion': 100,
      },
      cost,
    ],
    [
      'input without what was cached',
      { ...usage, 'gen_ai.usage.input_tokens': 100, 'gen_ai.usage.cache_read.input_tokens': 400 },
      // 100 × 0.25 + 400 × 0.025 + 100 × 2 a million.
      '0.000235',
    ],
  ])('in %s are read', async (name, attributes, expected) => {
    const team = name.replaceAll(/\W/g, '-');
    await send([spanOf({ 'millrace.team': team, ...attributes })]);
    expect(await costsOf(team)).toMatchObject([{ calls: 1, costUsd: expected }]);
  });

  it('and events that tell of the same answer are one call', async () => {
    const attributes = { ...usage, 'millrace.team': 'same', 'gen_ai.response.id': 'resp_7' };
    const span = spanOf(attributes);
    await send([span]);
    await send([span, spanOf(attributes)]);
    const event = await requestTo(running.url)
      .post('/v1/usage')
      .set({ ...headers(), 'content-type': 'application/cloudevents+json' })
      .send(
        JSON.stringify({
          specversion: '1.0',
          id: 'same-1',
          source: '/proxy',
          type: 'millrace.usage',
          originteam: 'same',
          data: { provider: 'openai', model: 'gpt-5-mini', responseId: 'resp_7', tokens: { text_output: 1 } },
        }),
      );
    expect(event.body).toMatchObject({ outcome: 'duplicate' });
    expect(await costsOf('same')).toMatchObject([{ calls: 1, costUsd: cost }]);
  });

  it('that cannot be calls are rejected one by one, and others are not kept', async () => {
    const team = { 'millrace.team': 'picky' };
    const rejected = [
      spanOf({ ...usage, ...team, 'gen_ai.usage.input_tokens': 1e12 }),
      spanOf({ ...usage, ...team, 'gen_ai.usage.output_tokens': 1e308 }),
      { ...spanOf({ ...usage, ...team }), traceId: '0'.repeat(32) },
      { ...spanOf({ ...usage, ...team }), startTimeUnixNano: '1' },
      { ...spanOf({ ...usage, ...team }), traceState: 'ot=th:8' },
    ];
    const passedOver = [
      spanOf({ ...team, 'http.request.method': 'POST' }),
      spanOf({ ...usage, ...team, 'gen_ai.operation.name': 'execute_tool' }),
      { ...spanOf({ ...usage, ...team }), attributes: 'none' },
      {},
      7,
      null,
    ];
    const { partialSuccess } = await send([...rejected, ...passedOver, spanOf({ ...usage, ...team })]);
    expect(partialSuccess?.rejectedSpans).toBe(String(rejected.length));
    expect(partialSuccess?.errorMessage).not.toBe('');
    expect(await costsOf('picky')).toMatchObject([{ calls: 1, costUsd: cost }]);
  });

  it('of another team than the key are rejected', async () => {
    const teal = await running.newKey(['usage:write'], { team: 'teal' });
    const { partialSuccess } = await send([spanOf({ ...usage, 'millrace.team': 'blue' })], teal);
    expect(partialSuccess?.errorMessage).toContain('belongs to the team "teal"');
    expect(await send([spanOf(usage)], teal)).toEqual({});
    expect(await costsOf('teal')).toMatchObject([{ calls: 1 }]);
  });

  it.each([
    ['bytes that are none', Buffer.from([0x0a, 0x7f, 1]), undefined, 400],
    [
      'a length that is endless',
      Buffer.from([0x0a, ...Array.from({ length: 11 }, () => 0xff)]),
      undefined,
      400,
    ],
    ['groups', Buffer.from([0x0b]), undefined, 400],
    ['what is no gzip', Buffer.from('plain'), 'gzip', 400],
    ['another encoding', Buffer.from(''), 'br', 415],
    ['a bomb', gzipSync(Buffer.alloc(64_000_000)), 'gzip', 413],
    ['too many bytes', Buffer.alloc(5_000_000), undefined, 413],
  ])('of a body with %s are refused', async (_, body, encoding, status) => {
    const response = await fetch(endpoint, {
      method: 'POST',
      body: new Uint8Array(body),
      headers: {
        ...headers(),
        'content-type': 'application/x-protobuf',
        ...(encoding === undefined ? {} : { 'content-encoding': encoding }),
      },
    });
    expect(response.status, await response.text()).toBe(status);
  });
});

async function send(spans: readonly unknown[], by = key) {
  const response = await requestTo(running.url)
    .post('/v1/traces')
    .set('authorization', `Bearer ${by}`)
    .send({ resourceSpans: [{ resource: { attributes: [] }, scopeSpans: [{ spans }] }] });
  expect(response.status, response.text).toBe(200);
  return tracesReceiptSchema.strict().parse(response.body);
}

function spanOf(attributes: Attributes): object {
  const now = BigInt(Date.now()) * 1_000_000n;
  return {
    traceId: randomBytes(16).toString('hex'),
    spanId: randomBytes(8).toString('hex'),
    name: 'call',
    startTimeUnixNano: String(now),
    endTimeUnixNano: String(now + 20_000_000n),
    attributes: Object.entries(attributes).map(([name, value]) => ({
      key: name,
      value: typeof value === 'number' ? { doubleValue: value } : { stringValue: value },
    })),
  };
}
