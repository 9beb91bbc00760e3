import {
  type Attributes,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { formatUsd } from '../../kernel/money.ts';
import type { LeasedMessage } from '../ledger/stored-message.ts';
import type { CallGroupSpend } from '../calls/call-group-spend.ts';
import { genAi, millraceAttributes } from '../../telemetry/genai-attributes.ts';
import type { MessageTracer } from '../../telemetry/message-tracer.ts';
import { messaging, messagingSystem } from '../../telemetry/messaging-attributes.ts';
import { type OriginField, originBaggage } from '../../telemetry/origin-attributes.ts';
import { messageAttributes, parentContext, traceParentOf } from '../../telemetry/span-context.ts';
import type { FailureDecision } from './failure-policy.ts';
import { attemptOf } from './run-context.ts';
import { sendingSpan } from './sending-span.ts';

/*
 * The span of one run of a handler: a child of the context in the message's envelope, and the parent of its calls, of
 * the handler's own spans and of the runs that take what it emits. A run that emits many messages would make one trace
 * too large to be read: there each emission begins a trace of its own, with a sending span that links to the run.
 */

export interface RunTracer extends MessageTracer {
  /** A run with more emissions is linked to their traces instead of being their parent. */
  readonly fanOutLinks: number;
}

/** Links to emissions that a run's span holds at most. Each of those traces links back in any case. */
const maxLinks = 128;

const outcomes = {
  release: 'released',
  park: 'parked',
  retry: 'retry',
  dead_letter: 'dead_lettered',
  cancel: 'cancelled',
} as const satisfies Record<FailureDecision['kind'], string>;

export class RunSpan {
  readonly #tracer: RunTracer;
  readonly #message: LeasedMessage;
  readonly #span: Span;
  /** Spans of emissions, exported only when what they tell of was written. */
  #sendings: readonly Span[] = [];

  private constructor(tracer: RunTracer, message: LeasedMessage, span: Span) {
    this.#tracer = tracer;
    this.#message = message;
    this.#span = span;
  }

  static begin(tracer: RunTracer, message: LeasedMessage, leasedAt: Date): RunSpan {
    const { envelope } = message;
    const waitedMs = Math.max(0, leasedAt.getTime() - message.availableAt.getTime());
    const span = tracer.tracer.startSpan(
      `process ${envelope.stage}`,
      {
        kind: SpanKind.CONSUMER,
        attributes: runAttributes(message, tracer.originFields, waitedMs),
      },
      parentContext(envelope.traceParent),
    );
    return new RunSpan(tracer, message, span);
  }

  /** Does the work with this span active and the origin as baggage. */
  within<Result>(work: () => Result): Result {
    const { envelope } = this.#message;
    const active = trace.setSpan(ROOT_CONTEXT, this.#span);
    return context.with(
      propagation.setBaggage(active, originBaggage(envelope.origin, this.#tracer.originFields)),
      work,
    );
  }

  spent({ calls, costUsd }: CallGroupSpend): void {
    if (calls === 0) return;
    this.#span.setAttribute(millraceAttributes.costUsd, formatUsd(costUsd));
  }

  /** The traceparent of each emission, by the names of their types. */
  traceParentsOf(types: readonly string[]): readonly string[] {
    const own = this.#span.spanContext();
    if (types.length <= this.#tracer.fanOutLinks) {
      const traceParent = traceParentOf(own);
      return types.map(() => traceParent);
    }
    this.#sendings = types.map((type) =>
      sendingSpan(this.#tracer, {
        type,
        origin: this.#message.envelope.origin,
        parent: ROOT_CONTEXT,
        links: [{ context: own }],
      }),
    );
    this.#span.setAttribute(millraceAttributes.emissions, types.length);
    this.#span.addLinks(this.#sendings.slice(0, maxLinks).map((span) => ({ context: span.spanContext() })));
    return this.#sendings.map((span) => traceParentOf(span.spanContext()));
  }

  completed(): void {
    for (const span of this.#sendings) span.end();
    this.#span.setAttribute(millraceAttributes.outcome, 'completed');
  }

  /** What happens to a run that failed. Its message would show payloads: the code has to do. */
  failed(decision: FailureDecision, code: string): void {
    const span = this.#span;
    span.setAttribute(millraceAttributes.outcome, outcomes[decision.kind]);
    switch (decision.kind) {
      case 'park':
        span.addEvent('parked', {
          [millraceAttributes.parkReason]: decision.reason,
          ...(decision.delayMs === undefined ? {} : { [millraceAttributes.delayMs]: decision.delayMs }),
          ...(decision.parkedFor === undefined ? {} : { [millraceAttributes.parkedFor]: decision.parkedFor }),
        });
        return;
      case 'retry':
        span.setAttribute(millraceAttributes.delayMs, decision.delayMs);
        break;
      case 'cancel':
      case 'release':
      case 'dead_letter':
        break;
    }
    span.setAttribute(genAi.errorType, code);
    if (decision.kind === 'retry' || decision.kind === 'dead_letter')
      span.setStatus({ code: SpanStatusCode.ERROR, message: code });
  }

  /** The ledger did not take the end of this run: another worker has the message. */
  leaseExpired(): void {
    this.#span.setAttribute(millraceAttributes.outcome, 'lease_expired');
  }

  end(): void {
    this.#span.end();
  }
}

/** Each costs on every run: what has a usual value is left out when it has that. */
function runAttributes(message: LeasedMessage, fields: readonly OriginField[], waitedMs: number): Attributes {
  const { envelope, deliveries } = message;
  const attributes = messageAttributes(envelope, fields);
  attributes[messaging.system] = messagingSystem;
  attributes[messaging.operationName] = 'process';
  attributes[messaging.operationType] = 'process';
  attributes[messaging.destinationName] = envelope.stage;
  attributes[messaging.messageId] = envelope.id;
  attributes[millraceAttributes.pipeline] = envelope.pipeline;
  attributes[millraceAttributes.rootId] = envelope.rootId;
  attributes[millraceAttributes.attempt] = attemptOf(message);
  attributes[millraceAttributes.queueWait] = waitedMs / 1000;
  if (envelope.parentId !== undefined) attributes[millraceAttributes.parentId] = envelope.parentId;
  if (envelope.item !== envelope.rootId) attributes[millraceAttributes.item] = envelope.item;
  if (deliveries > 1) attributes[millraceAttributes.deliveries] = deliveries;
  return attributes;
}
