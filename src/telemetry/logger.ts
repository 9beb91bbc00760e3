import type { MessageEnvelope } from '../messages/message.ts';
import { traceIdOf } from './trace-context.ts';

/** What a log line says besides its message. An error goes under `error`. Payloads and secrets never go in. */
export type LogFields = Readonly<Record<string, unknown>>;

/** What all code logs to. */
export interface Logger {
  /** For someone who looks for a fault: off by default. */
  debug(fields: LogFields, message: string): void;
  /** Something an operator expects to see. */
  info(fields: LogFields, message: string): void;
  /** Something is not as it should be, and goes on. */
  warn(fields: LogFields, message: string): void;
  /** Something failed and someone should look. */
  error(fields: LogFields, message: string): void;
  /** A logger that adds the fields to each of its lines. */
  child(fields: LogFields): Logger;
}

/** The fields that every line about a message carries (promise P1). */
export function messageFields(message: MessageEnvelope): LogFields {
  return {
    origin: message.origin,
    messageId: message.id,
    rootId: message.rootId,
    pipeline: message.pipeline,
    stage: message.stage,
    traceId: traceIdOf(message.traceParent),
  };
}
