import { AppError } from '../../kernel/app-error.ts';
import { readableError } from '../../kernel/readable-error.ts';
import type { LeasedMessage } from '../ledger/stored-message.ts';
import { jsonForm } from '../../messages/json-form.ts';
import { removeSecrets } from '../../telemetry/known-secrets.ts';
import { traceIdOf } from '../../telemetry/trace-context.ts';
import { renderOutcomeLine } from '../export/message-outcome.ts';

const maxCauses = 5;
const maxFaults = 50;

/** How a message ended that did not complete, for its record in the column store. */
export interface RunEnd {
  readonly message: LeasedMessage;
  readonly outcome: 'dead_lettered' | 'cancelled';
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
    attempts: Math.min(message.priorAttempts + message.attempts + message.invalidOutputAttempts + 1, 65_535),
    deliveries: Math.min(message.deliveries, 65_535),
    durationMs: Math.round(durationMs),
    waitMs: millisecondsBetween(message.availableAt, leasedAt),
    ageMs: millisecondsBetween(envelope.admittedAt, endedAt),
    ...(traceId === undefined ? {} : { traceId }),
  });
}

/**
 * What a handler returned, as JSON. Throws MILLRACE_MESSAGE_INVALID, with paths, for what cannot be written so: the handler
 * would return the same again.
 */
export function resultJson(result: unknown): string | undefined {
  if (result === undefined) return undefined;
  try {
    return JSON.stringify(result);
  } catch (cause) {
    const form = jsonForm(result);
    const found =
      form.kind === 'faults' ? form.faults : [{ field: 'data', problem: 'cannot be written as JSON' }];
    const faults = found.map(({ field, problem }) => ({ field: field.replace(/^data/, 'result'), problem }));
    const told = faults.map(({ field, problem }) => `${field}: ${problem}`).join('; ');
    throw new AppError(
      'MILLRACE_MESSAGE_INVALID',
      `What the handler returned cannot be stored as JSON: ${told}`,
      { faults, cause },
    );
  }
}

/**
 * What a reader of a dead letter gets to know of an error: its chain of causes, with codes and faults, no payloads. Any
 * thrown value gives a detail, as well as can be: a failure that cannot be recorded would be made again for ever.
 */
export function failureDetail(error: unknown): string {
  const chain: Record<string, unknown>[] = [];
  const seen = new Set<unknown>();
  for (let current = readableError(error); chain.length < maxCauses;) {
    if (seen.has(current)) {
      chain.push({ message: 'The cause is an error that is listed above.' });
      break;
    }
    seen.add(current);
    if (current instanceof AppError) {
      chain.push({
        code: current.code,
        message: bounded(current.message),
        todo: current.todo,
        faults: current.faults.slice(0, maxFaults).map(({ field, problem }) => ({
          field: bounded(field),
          problem: bounded(problem),
        })),
      });
    } else if (current instanceof Error) {
      chain.push({
        name: bounded(current.name),
        message: bounded(current.message),
        stack: bounded(current.stack ?? ''),
        ...(current instanceof AggregateError ? { errors: messagesOf(current.errors) } : {}),
      });
    } else {
      // Whatever was thrown, a string mostly.
      chain.push({ message: bounded(textOfThrown(current)) });
      break;
    }
    if (current.cause === undefined) break;
    current = current.cause;
  }
  return JSON.stringify({ chain });
}

function messagesOf(errors: unknown): string[] {
  if (!Array.isArray(errors)) return [];
  return errors.slice(0, maxCauses).map((one: unknown) => {
    const readable = readableError(one);
    return bounded(readable instanceof Error ? readable.message : textOfThrown(readable));
  });
}

/** A thrown value that is no error, as text: its JSON where it has one. */
function textOfThrown(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'bigint' || typeof value === 'symbol') return value.toString();
  try {
    return JSON.stringify(value) ?? typeof value;
  } catch {
    return `a value of type ${typeof value} was thrown that cannot be written as JSON`;
  }
}

function bounded(text: string): string {
  return removeSecrets(text.slice(0, 8000)).slice(0, 2000).toWellFormed().replaceAll('\u0000', '\uFFFD');
}

function millisecondsBetween(from: Date, to: Date): number {
  return Math.max(0, to.getTime() - from.getTime());
}
