import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { describe, expect, it } from 'vitest';
import { usd } from '../kernel/money.ts';
import { millraceAttributes } from './genai-attributes.ts';
import type { RecordedSpan } from './recorded-span.ts';
import { parentContext } from './span-context.ts';
import { SpanTracer } from './span-tracer.ts';
import { newTraceParent, traceIdOf } from './trace-context.ts';
import { TailSampler } from './tail-sampler.ts';

/** A tracer that chooses nothing, so that only reasons to keep count; and what left it. */
function unsampling(bounds: { maxWaitingSpans?: number; maxTraces?: number } = {}) {
  const kept: RecordedSpan[] = [];
  const sampler = new TailSampler({
    next: (span) => void kept.push(span),
    keepFromUsd: usd('0.10'),
    ...bounds,
  });
  const tracer = new SpanTracer({ sampleRatio: 0, onEnd: (span) => sampler.take(span) });
  return {
    kept,
    names: () => kept.map((span) => span.name),
    span: (name: string, traceParent: string, end: { isError?: boolean; costUsd?: string } = {}) => {
      const span = tracer.startSpan(name, { kind: SpanKind.CONSUMER }, parentContext(traceParent));
      if (end.isError === true) span.setStatus({ code: SpanStatusCode.ERROR });
      if (end.costUsd !== undefined) span.setAttribute(millraceAttributes.costUsd, end.costUsd);
      span.end();
    },
  };
}

describe('TailSampler', () => {
  it('lets a trace go with all that waited, and with what follows, once a span of it fails', () => {
    const { span, names, kept } = unsampling();
    const [failing, fine] = [newTraceParent(), newTraceParent()];
    span('first', failing);
    span('fine', fine);
    span('second', failing, { isError: true });
    span('third', failing);
    expect(names()).toEqual(['first', 'second', 'third']);
    for (const one of kept) expect(one.spanContext().traceId).toBe(traceIdOf(failing));
  });

  it('compares costs as decimals: exactly the limit is kept, the last digit below is not', () => {
    const { span, names } = unsampling();
    span('below', newTraceParent(), { costUsd: '0.099999999999999999' });
    span('at', newTraceParent(), { costUsd: '0.1' });
    span('above', newTraceParent(), { costUsd: '12' });
    expect(names()).toEqual(['at', 'above']);
  });

  it('forgets the oldest first when more wait than there is room for', () => {
    const { span, names } = unsampling({ maxWaitingSpans: 3 });
    const traces = Array.from({ length: 3 }, newTraceParent);
    for (const [index, trace] of traces.entries()) {
      span(`${index} a`, trace);
      span(`${index} b`, trace);
    }
    for (const [index, trace] of traces.entries()) span(`${index} end`, trace, { isError: true });
    expect(names()).toEqual(['0 end', '1 end', '2 a', '2 b', '2 end']);
  });

  it('remembers no more traces than it may, kept ones included', () => {
    const { span, names } = unsampling({ maxTraces: 2 });
    const [first, second, third] = [newTraceParent(), newTraceParent(), newTraceParent()];
    span('kept', first, { isError: true });
    span('second', second);
    span('third', third);
    span('forgotten', first);
    span('end', third, { isError: true });
    expect(names()).toEqual(['kept', 'third', 'end']);
  });

  it('holds 64 spans of one trace at most', () => {
    const { span, names } = unsampling();
    const trace = newTraceParent();
    for (let index = 0; index < 70; index += 1) span(String(index), trace);
    span('end', trace, { isError: true });
    expect(names()).toHaveLength(65);
    expect(names().slice(-2)).toEqual(['63', 'end']);
  });
});
