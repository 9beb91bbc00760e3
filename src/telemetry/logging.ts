import { type DestinationStream, type LevelWithSilent, pino, type Logger as Pino } from 'pino';
import { prettyLines } from './log-lines.ts';
import { redactFields, redactText } from './log-redaction.ts';
import type { LogFields, Logger } from './logger.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface LoggerOptions {
  readonly level: LogLevel;
  /** Takes the lines, each ended by a newline. Standard output unless given. */
  readonly destination?: { write(line: string): void };
  /** Lines for the eyes of a person instead of JSON. Default false. */
  readonly pretty?: boolean;
  /** Fields of every line: role, version. */
  readonly fields?: LogFields;
}

/**
 * A logger on pino, and the pino instance for what needs one (HTTP request logging). Both redact the fields and
 * text of a line; fields of a child are redacted by this logger's `child` only, pino offers no place for it.
 */
export interface PinoLogger extends Logger {
  readonly pino: Pino;
}

/**
 * Makes the logger of the process: one JSON object a line, with `time` in ISO 8601, `level` as a word and the
 * text under `message`. Secrets and payloads are taken out of fields and texts.
 */
export function createLogger(options: LoggerOptions): PinoLogger {
  const level: LevelWithSilent = options.level;
  const plain: DestinationStream = options.destination ?? pino.destination({ dest: 1, sync: true });
  const instance = pino(
    {
      level,
      base: null,
      messageKey: 'message',
      errorKey: 'error',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),
        log: redactOwnFields,
      },
      // Errors are plain fields already when serialisers see them.
      serializers: { error: asItIs, err: asItIs },
      // Raw requests pass through to the request logger's own serialisers; these are what is secret in them.
      redact: {
        paths: [
          'req.headers.authorization',
          'req.headers.cookie',
          'req.headers["x-api-key"]',
          'req.headers["proxy-authorization"]',
          'res.headers["set-cookie"]',
        ],
        censor: '[redacted]',
      },
      hooks: {
        logMethod(args, method) {
          const [first, second, ...rest] = args;
          if (typeof first === 'string') method.apply(this, [redactText(first), second, ...rest]);
          else if (typeof second === 'string') method.apply(this, [first, redactText(second), ...rest]);
          else if (isError(first)) method.apply(this, [first, redactText(first.message)]);
          else method.apply(this, args);
        },
      },
    },
    options.pretty === true ? prettyLines(plain) : plain,
  );
  return wrap(options.fields === undefined ? instance : instance.child(redactFields(options.fields)));
}

function wrap(instance: Pino): PinoLogger {
  return {
    pino: instance,
    debug: (fields, message) => instance.debug(fields, message),
    info: (fields, message) => instance.info(fields, message),
    warn: (fields, message) => instance.warn(fields, message),
    error: (fields, message) => instance.error(fields, message),
    child: (fields) => wrap(instance.child(redactFields(fields))),
  };
}

function redactOwnFields(fields: Record<string, unknown>): Record<string, unknown> {
  const { req, res, ...own } = fields;
  return {
    ...redactFields(own),
    ...(req === undefined ? {} : { req }),
    ...(res === undefined ? {} : { res }),
  };
}

const asItIs = (value: unknown): unknown => value;

function isError(value: unknown): value is Error {
  return value instanceof Error;
}
