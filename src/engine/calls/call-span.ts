import { context, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { formatUsd } from '../../kernel/money.ts';
import { countTokens, inputTokenClasses, outputTokenClasses } from '../../pricing/token-classes.ts';
import { genAi, millraceAttributes } from '../../telemetry/genai-attributes.ts';
import type { MessageTracer } from '../../telemetry/message-tracer.ts';
import { originAttributes } from '../../telemetry/origin-attributes.ts';
import { messageAttributes, parentContext } from '../../telemetry/span-context.ts';
import type { SettledCall } from '../ledger/settlement.ts';
import type { AttributedCall } from '../ledger/attributed-call.ts';

/** Starts the client span of a call: under the active span, else in the trace of its message. */
export function startCallSpan(
  { tracer, originFields }: MessageTracer,
  facts: AttributedCall,
  maxOutputTokens: number | undefined,
): Span {
  const { origin, message } = facts;
  // What else is known of the message is on the span of its run.
  const attributes =
    message === undefined
      ? originAttributes(origin, originFields)
      : messageAttributes({ id: message.id, stage: message.stage, origin }, originFields);
  attributes[genAi.operationName] = facts.operation;
  attributes[genAi.providerName] = facts.provider;
  attributes[genAi.requestModel] = facts.model;
  attributes[millraceAttributes.callId] = facts.id;
  attributes[millraceAttributes.step] = facts.step;
  attributes[millraceAttributes.attempt] = facts.attempt;
  if (maxOutputTokens !== undefined) attributes[genAi.requestMaxTokens] = maxOutputTokens;
  if (facts.fallbackFrom !== undefined) attributes[millraceAttributes.fallbackFrom] = facts.fallbackFrom;
  if (facts.sharedRequest !== undefined) attributes[millraceAttributes.sharedRequest] = facts.sharedRequest;
  const active = context.active();
  return tracer.startSpan(
    `${facts.operation} ${facts.model}`,
    { kind: SpanKind.CLIENT, attributes, startTime: facts.reservedAt },
    message === undefined || trace.getSpan(active) !== undefined
      ? active
      : parentContext(message.traceParent),
  );
}

/** Puts how the call ended onto its span. */
export function describeEnd(span: Span, end: SettledCall): void {
  const { tokens } = end;
  span.setAttribute(genAi.inputTokens, countTokens(tokens, inputTokenClasses));
  span.setAttribute(genAi.outputTokens, countTokens(tokens, outputTokenClasses));
  const cacheCreation = (tokens.cache_write_5m ?? 0) + (tokens.cache_write_1h ?? 0);
  if (tokens.cache_read) span.setAttribute(genAi.cacheReadInputTokens, tokens.cache_read);
  if (cacheCreation > 0) span.setAttribute(genAi.cacheCreationInputTokens, cacheCreation);
  if (tokens.reasoning) span.setAttribute(genAi.reasoningOutputTokens, tokens.reasoning);
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
