import { type Context, context, type Link, type Span, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { AdmissionOutcome } from '../ledger/message-ledger.ts';
import type { Origin } from '../../messages/origin.ts';
import { genAi, millraceAttributes } from '../../telemetry/genai-attributes.ts';
import type { MessageTracer } from '../../telemetry/message-tracer.ts';
import { messaging, messagingSystem } from '../../telemetry/messaging-attributes.ts';
import { originAttributes } from '../../telemetry/origin-attributes.ts';
import { parentContext, traceParentOf } from '../../telemetry/span-context.ts';
import { parseTraceParent } from '../../telemetry/trace-context.ts';
import { failureCode } from './failure-policy.ts';

export interface Sending {
  readonly type: string;
  readonly origin: Origin;
  readonly parent: Context;
  readonly links?: Link[];
}

/** The span of a message that is put into the pipeline: whoever takes it is its child. */
export function sendingSpan(
  { tracer, originFields }: MessageTracer,
  { type, origin, parent, links = [] }: Sending,
): Span {
  return tracer.startSpan(
    `send ${type}`,
    {
      kind: SpanKind.PRODUCER,
      links,
      attributes: {
        ...originAttributes(origin, originFields),
        [messaging.system]: messagingSystem,
        [messaging.operationName]: 'send',
        [messaging.operationType]: 'send',
        [messaging.destinationName]: type,
      },
    },
    parent,
  );
}

/** An admission that is under way. */
export interface AdmissionSpan {
  /** For the envelope. */
  readonly traceParent: string;
  admitted(messageIds: readonly string[], outcome: AdmissionOutcome): void;
  failed(error: unknown): void;
}

/** Begins the span of an admission: in the sender's trace when it named one, else under the active span. */
export function admissionSpan(
  tracer: MessageTracer,
  type: string,
  origin: Origin,
  traceParent: string | undefined,
): AdmissionSpan {
  const active = context.active();
  const isContinued = traceParent !== undefined && parseTraceParent(traceParent) !== undefined;
  const parent = isContinued ? parentContext(traceParent) : active;
  const span = sendingSpan(tracer, { type, origin, parent });
  return {
    traceParent: traceParentOf(span.spanContext()),
    admitted(messageIds, outcome) {
      const [first = ''] = messageIds;
      span.setAttribute(messaging.messageId, first);
      span.setAttribute(millraceAttributes.outcome, outcome);
      span.end();
    },
    failed(error) {
      const code = failureCode(error);
      span.setAttribute(genAi.errorType, code);
      span.setStatus({ code: SpanStatusCode.ERROR, message: code });
      span.end();
    },
  };
}
