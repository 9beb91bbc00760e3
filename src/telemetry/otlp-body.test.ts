import { type Attributes, ROOT_CONTEXT, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exportBody } from './otlp-body.ts';
import type { RecordedSpan } from './recorded-span.ts';
import { SpanTracer } from './span-tracer.ts';

/** What the body of an export says of a span that had these attributes. */
function attributesOf(attributes: Attributes): unknown {
  const { span } = recorded((tracer) => tracer.startSpan('x', { attributes }, ROOT_CONTEXT).end());
  return span['attributes'];
}

function recorded(work: (tracer: SpanTracer) => void): {
  span: Record<string, unknown>;
  ended: RecordedSpan;
} {
  const spans: RecordedSpan[] = [];
  work(new SpanTracer({ sampleRatio: 1, onEnd: (span) => void spans.push(span) }));
  const [ended] = spans;
  if (ended === undefined) throw new Error('no span has ended');
  const [span = {}] = exported(spans).resourceSpans[0]?.scopeSpans[0]?.spans ?? [];
  return { span, ended };
}

function exported(spans: readonly RecordedSpan[]): {
  resourceSpans: { scopeSpans: { spans: Record<string, unknown>[] }[] }[];
} {
  return JSON.parse(exportBody({ serviceName: 'mill "race"', version: '1.2.3' }, spans).toString());
}

const listOf = (value: object) => ({ arrayValue: { values: [value] } });

describe('an export', () => {
  it('keeps every text as it is, whatever is in it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (name, value) => {
        const { span } = recorded((tracer) =>
          tracer.startSpan(name, { attributes: { [`k${name}`]: value } }).end(),
        );
        expect(span).toMatchObject({
          name,
          attributes: [{ key: `k${name}`, value: { stringValue: value } }],
        });
      }),
    );
  });

  it('gives each value its kind, follows lists and objects so far, and leaves out what is undefined', () => {
    expect(
      attributesOf({
        text: 'a',
        whole: 3,
        part: 0.5,
        big: 2 ** 60,
        nan: Number.NaN,
        yes: true,
        list: ['a', 1],
        none: undefined,
        nothing: null,
        bytes: new Uint8Array([1, 2]),
        object: { a: [[[[1]]]] },
      }),
    ).toEqual([
      { key: 'text', value: { stringValue: 'a' } },
      { key: 'whole', value: { intValue: 3 } },
      { key: 'part', value: { doubleValue: 0.5 } },
      { key: 'big', value: { doubleValue: 2 ** 60 } },
      { key: 'nan', value: { doubleValue: 'NaN' } },
      { key: 'yes', value: { boolValue: true } },
      { key: 'list', value: { arrayValue: { values: [{ stringValue: 'a' }, { intValue: 1 }] } } },
      { key: 'nothing', value: {} },
      { key: 'bytes', value: { bytesValue: 'AQI=' } },
      {
        key: 'object',
        value: { kvlistValue: { values: [{ key: 'a', value: listOf(listOf(listOf({}))) }] } },
      },
    ]);
  });

  it('has ids, times in nanoseconds, events, links and the status', () => {
    const startTime = new Date('2026-05-04T03:02:01.123Z');
    const { span, ended } = recorded((tracer) => {
      const one = tracer.startSpan('first', { kind: SpanKind.CONSUMER, startTime }, ROOT_CONTEXT);
      one.addEvent('parked', { reason: 'pause' }, startTime);
      one.addLink({ context: { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 } });
      one.setStatus({ code: SpanStatusCode.ERROR, message: 'MILLRACE_X' });
      one.end(new Date('2026-05-04T03:02:02Z'));
    });
    expect(span).toEqual({
      traceId: ended.spanContext().traceId,
      spanId: ended.spanContext().spanId,
      name: 'first',
      kind: 5,
      flags: 1,
      startTimeUnixNano: '1777863721123000000',
      endTimeUnixNano: '1777863722000000000',
      attributes: [],
      events: [
        {
          timeUnixNano: '1777863721123000000',
          name: 'parked',
          attributes: [{ key: 'reason', value: { stringValue: 'pause' } }],
        },
      ],
      links: [{ traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), attributes: [] }],
      status: { code: 2, message: 'MILLRACE_X' },
    });
  });

  it('has 128 attributes, events and links at most', () => {
    const { span } = recorded((tracer) => {
      const one = tracer.startSpan('many');
      for (let index = 0; index < 130; index += 1) {
        one.setAttribute(`a${index}`, index).addEvent(`e${index}`);
        one.addLink({ context: one.spanContext() });
      }
      one.end();
    });
    for (const of of ['attributes', 'events', 'links']) expect(span[of], of).toHaveLength(128);
  });

  it('says nothing that came after its end', () => {
    const { span, ended } = recorded((tracer) => {
      const one = tracer.startSpan('ended');
      one.end();
      one.setAttribute('late', 1).updateName('late').addEvent('late').end(new Date(0));
    });
    expect(span).toMatchObject({ name: 'ended', attributes: [] });
    expect(span).not.toHaveProperty('events');
    expect(ended.endMs).toBeGreaterThanOrEqual(ended.startMs);
  });

  it('has its spans under the service that they came from', () => {
    const spans: RecordedSpan[] = [];
    const tracer = new SpanTracer({ sampleRatio: 1, onEnd: (span) => void spans.push(span) });
    tracer.startSpan('a').end();
    tracer.startSpan('b').end();
    expect(exported(spans)).toMatchObject({
      resourceSpans: [
        {
          resource: {
            attributes: [
              { key: 'service.name', value: { stringValue: 'mill "race"' } },
              { key: 'service.version', value: { stringValue: '1.2.3' } },
            ],
          },
          scopeSpans: [
            { scope: { name: 'millrace', version: '1.2.3' }, spans: [{ name: 'a' }, { name: 'b' }] },
          ],
        },
      ],
    });
  });
});
