import {
  type Attributes,
  type Context,
  type Link,
  ROOT_CONTEXT,
  type SpanContext,
  trace,
  TraceFlags,
} from '@opentelemetry/api';
import type { MessageEnvelope } from '../messages/message.ts';
import { millraceAttributes } from './genai-attributes.ts';
import { type OriginField, originAttributes } from './origin-attributes.ts';
import { formatTraceParent, parseTraceParent } from './trace-context.ts';

/** The context in which a span becomes a child of the traceparent; a root context when that is not valid. */
export function parentContext(traceParent: string): Context {
  const spanContext = remoteSpanContext(traceParent);
  return spanContext === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, spanContext);
}

/** Links to a traceparent: for spans of a fan-out, which begin traces of their own. Empty when it is not valid. */
export function linksTo(traceParent: string): Link[] {
  const spanContext = remoteSpanContext(traceParent);
  return spanContext === undefined ? [] : [{ context: spanContext }];
}

/** The traceparent that makes others children of the span. */
export function traceParentOf({ traceId, spanId, traceFlags }: SpanContext): string {
  return formatTraceParent({ traceId, spanId, sampled: (traceFlags & TraceFlags.SAMPLED) !== 0 });
}

/** The attributes that every span of a message carries (promise P1); of its origin, what may be shown. */
export function messageAttributes(
  message: Pick<MessageEnvelope, 'id' | 'origin' | 'stage'>,
  fields: readonly OriginField[],
): Attributes {
  const attributes = originAttributes(message.origin, fields);
  attributes[millraceAttributes.stage] = message.stage;
  attributes[millraceAttributes.messageId] = message.id;
  return attributes;
}

function remoteSpanContext(traceParent: string): SpanContext | undefined {
  const parsed = parseTraceParent(traceParent);
  if (parsed === undefined) return undefined;
  return {
    traceId: parsed.traceId,
    spanId: parsed.spanId,
    traceFlags: parsed.sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
    isRemote: true,
  };
}
