import { AppError } from '../kernel/app-error.ts';
import type { LeasedMessage } from '../ledger/stored-message.ts';
import { removeSecrets } from '../telemetry/known-secrets.ts';
import { traceIdOf } from '../telemetry/trace-context.ts';
import { renderOutcomeLine } from '../usage/message-outcome.ts';

/** How a message ended, for its record in the column store. */
export interface RunEnd {
  readonly message: LeasedMessage;
  readonly outcome: 'completed' | 'dead_lettered' | 'cancelled';
  readonly errorCode?: string;
  readonly endedAt: Date;
  readonly leasedAt: Date;
  readonly durationMs: number;
}

/** The rendered record of a message's end. Times between two machines' clocks are cut off at 0. */
export function outcomeLine({ message, outcome, errorCode, endedAt, leasedAt, durationMs }: RunEnd): string {
  const { envelope } = message;
  const traceId = traceIdOf(envelope.traceParent);
  return renderOutcomeLine({
    messageId: envelope.id,
    rootId: envelope.rootId,
    endedAt,
    origin: envelope.origin,
    pipeline: envelope.pipeline,
    stage: envelope.stage,
    owner: envelope.owner,
    item: envelope.item,
    outcome,
    ...(errorCode === undefined ? {} : { errorCode }),
    attempts: Math.min(message.priorAttempts + message.attempts + message.degenerateAttempts + 1, 65_535),
    deliveries: Math.min(message.deliveries, 65_535),
    durationMs: Math.round(durationMs),
    waitMs: millisecondsBetween(message.availableAt, leasedAt),
    ageMs: millisecondsBetween(envelope.admittedAt, endedAt),
    ...(traceId === undefined ? {} : { traceId }),
  });
}

/** What a reader of a dead letter gets to know of an error: its chain of causes, with codes and faults, no payloads. */
export function failureDetail(error: unknown): string {
  const chain: Record<string, unknown>[] = [];
  for (let current: unknown = error; current !== undefined && chain.length < 5;) {
    if (current instanceof AppError) {
      chain.push({
        code: current.code,
        message: bounded(current.message),
        todo: current.todo,
        faults: current.faults,
      });
      current = current.cause;
    } else if (current instanceof Error) {
      chain.push({
        name: current.name,
        message: bounded(current.message),
        stack: bounded(current.stack ?? ''),
      });
      current = current.cause;
    } else {
      // Whatever was thrown, a string mostly.
      chain.push({
        message: bounded(typeof current === 'string' ? current : (JSON.stringify(current) ?? typeof current)),
      });
      current = undefined;
    }
  }
  return JSON.stringify({ chain });
}

function bounded(text: string): string {
  return removeSecrets(text).toWellFormed().replaceAll('\u0000', '\uFFFD').slice(0, 2000);
}

function millisecondsBetween(from: Date, to: Date): number {
  return Math.max(0, to.getTime() - from.getTime());
}
