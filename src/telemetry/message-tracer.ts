import type { Tracer } from '@opentelemetry/api';
import type { OriginField } from './origin-attributes.ts';

/** What makes the spans of messages and calls. */
export interface MessageTracer {
  readonly tracer: Tracer;
  /** The parts of the origin that spans and baggage may show. */
  readonly originFields: readonly OriginField[];
}
