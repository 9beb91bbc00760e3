import {
  context,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Tracer,
} from '@opentelemetry/api';
import { formatUsd } from '../kernel/money.ts';
import { countTokens, inputTokenClasses, outputTokenClasses } from '../pricing/token-classes.ts';
import { genAi, millraceAttributes } from '../telemetry/genai-attributes.ts';
import { parseTraceParent } from '../telemetry/trace-context.ts';
import type { CallFacts, EndOfCall } from './usage-record-of-call.ts';

/** Starts the client span of a call: under the active span, else in the trace of its message. */
export function startCallSpan(tracer: Tracer, facts: CallFacts, maxOutputTokens: number | undefined): Span {
  const { origin, message } = facts.owner;
  const attributes: Record<string, string | number> = {
    [genAi.operationName]: facts.operation,
    [genAi.providerName]: facts.provider,
    [genAi.requestModel]: facts.model,
    [millraceAttributes.team]: origin.team,
    [millraceAttributes.customer]: origin.customer,
    [millraceAttributes.feature]: origin.feature,
    [millraceAttributes.callId]: facts.id,
    [millraceAttributes.step]: facts.step,
    [millraceAttributes.attempt]: facts.attempt,
  };
  if (maxOutputTokens !== undefined) attributes[genAi.requestMaxTokens] = maxOutputTokens;
  if (facts.fallbackFrom !== undefined) attributes[millraceAttributes.fallbackFrom] = facts.fallbackFrom;
  if (origin.batch !== undefined) attributes[millraceAttributes.batch] = origin.batch;
  if (message !== undefined) {
    attributes[millraceAttributes.pipeline] = message.pipeline;
    attributes[millraceAttributes.stage] = message.stage;
    attributes[millraceAttributes.messageId] = message.id;
    attributes[millraceAttributes.rootId] = message.rootId;
    attributes[millraceAttributes.item] = message.item;
  }
  const name = `${facts.operation} ${facts.model}`;
  return tracer.startSpan(
    name,
    { kind: SpanKind.CLIENT, attributes, startTime: facts.sentAt },
    parentOf(facts),
  );
}

function parentOf({ owner: { message } }: CallFacts): ReturnType<typeof context.active> {
  const active = context.active();
  if (message === undefined || trace.getSpan(active) !== undefined) return active;
  const parent = parseTraceParent(message.traceParent);
  if (parent === undefined) return active;
  return trace.setSpanContext(active, {
    traceId: parent.traceId,
    spanId: parent.spanId,
    traceFlags: parent.sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
    isRemote: true,
  });
}

/** Puts how the call ended onto its span. */
export function describeEnd(span: Span, end: EndOfCall): void {
  const { tokens } = end;
  span.setAttribute(genAi.inputTokens, countTokens(tokens, inputTokenClasses));
  span.setAttribute(genAi.outputTokens, countTokens(tokens, outputTokenClasses));
  span.setAttribute(genAi.cacheReadInputTokens, tokens.cache_read ?? 0);
  span.setAttribute(
    genAi.cacheCreationInputTokens,
    (tokens.cache_write_5m ?? 0) + (tokens.cache_write_1h ?? 0),
  );
  span.setAttribute(genAi.reasoningOutputTokens, tokens.reasoning ?? 0);
  if (end.answeredModel !== undefined) span.setAttribute(genAi.responseModel, end.answeredModel);
  if (end.providerRequestId !== undefined) span.setAttribute(genAi.responseId, end.providerRequestId);
  if (end.errorType !== undefined) {
    span.setAttribute(genAi.errorType, end.errorType);
    span.setStatus({ code: SpanStatusCode.ERROR, message: end.errorType });
  }
  if (end.costUsd !== undefined) span.setAttribute(millraceAttributes.costUsd, formatUsd(end.costUsd));
  if (end.priceReference !== undefined)
    span.setAttribute(millraceAttributes.priceReference, end.priceReference);
}
