import type { Tracer } from '@opentelemetry/api';
import type { OriginField } from './origin-attributes.ts';

/** The part of OpenTelemetry's tracer that spans are begun with. */
export type SpanMaker = Pick<Tracer, 'startSpan'>;

/** What makes the spans of messages and calls. */
export interface MessageTracer {
  readonly tracer: SpanMaker;
  /** The parts of the origin that spans and baggage may show. */
  readonly originFields: readonly OriginField[];
}
