import { type Attributes, context, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { formatUsd } from '../kernel/money.ts';
import { countTokens, inputTokenClasses, outputTokenClasses } from '../pricing/token-classes.ts';
import { genAi, millraceAttributes } from '../telemetry/genai-attributes.ts';
import type { MessageTracer } from '../telemetry/message-tracer.ts';
import { originAttributes } from '../telemetry/origin-attributes.ts';
import { messageAttributes, parentContext } from '../telemetry/span-context.ts';
import type { CallFacts, EndOfCall } from './usage-record-of-call.ts';

/** Starts the client span of a call: under the active span, else in the trace of its message. */
export function startCallSpan(
  { tracer, originFields }: MessageTracer,
  facts: CallFacts,
  maxOutputTokens: number | undefined,
): Span {
  const { origin, message } = facts.owner;
  const attributes: Attributes = {
    ...(message === undefined
      ? originAttributes(origin, originFields)
      : messageAttributes({ ...message, origin }, originFields)),
    [genAi.operationName]: facts.operation,
    [genAi.providerName]: facts.provider,
    [genAi.requestModel]: facts.model,
    [millraceAttributes.callId]: facts.id,
    [millraceAttributes.step]: facts.step,
    [millraceAttributes.attempt]: facts.attempt,
  };
  if (maxOutputTokens !== undefined) attributes[genAi.requestMaxTokens] = maxOutputTokens;
  if (facts.fallbackFrom !== undefined) attributes[millraceAttributes.fallbackFrom] = facts.fallbackFrom;
  const active = context.active();
  return tracer.startSpan(
    `${facts.operation} ${facts.model}`,
    { kind: SpanKind.CLIENT, attributes, startTime: facts.sentAt },
    message === undefined || trace.getSpan(active) !== undefined
      ? active
      : parentContext(message.traceParent),
  );
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
