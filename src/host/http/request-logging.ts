import type { IncomingMessage, ServerResponse } from 'node:http';
import type { DynamicModule, LoggerService } from '@nestjs/common';
import { type Logger as NestPinoLogger, LoggerModule } from 'nestjs-pino';
import type { Clock } from '../../kernel/clock.ts';
import { LogPace } from '../../telemetry/log-pace.ts';
import type { PinoLogger } from '../../telemetry/logging.ts';
import { shownPathOf } from '../../http/request-facts.ts';

/*
 * One line a request: method, path, status, duration, request id. Neither headers nor query nor body go in: the first
 * hold keys, the others customers' names and payloads. Probes and scrapes, every few seconds, are not logged. Of those that
 * are refused for now only one in a while is a warning, with how many there were; a client that goes away is none.
 */

const quietPaths = new Set(['/health', '/health/live', '/health/ready', '/metrics']);

/** Nest's own log lines and the requests', written by the process's logger. */
export function requestLogging(logger: PinoLogger, clock: Pick<Clock, 'monotonicMs'>): DynamicModule {
  const pace = new LogPace(clock);
  const refusals = new WeakMap<ServerResponse, number>();
  return LoggerModule.forRoot({
    // The library's own default path matches nothing on Fastify.
    forRoutes: ['*path'],
    pinoHttp: {
      logger: logger.pino,
      wrapSerializers: false,
      quietReqLogger: true,
      customAttributeKeys: { reqId: 'requestId', responseTime: 'durationMs', err: 'error' },
      serializers: {
        req: (request: IncomingMessage) => ({ method: request.method, path: requestPath(request) }),
        res: (response: ServerResponse) => ({ statusCode: response.statusCode }),
      },
      autoLogging: { ignore: (request) => quietPaths.has(requestPath(request)) },
      customLogLevel: (_request, response, error) => {
        if (isAbandoned(response)) return 'debug';
        if (error !== undefined) return 'warn';
        if (response.statusCode < 500) return 'info';
        if (response.statusCode === 500) return 'warn';
        const suppressed = pace.suppressedBefore(String(response.statusCode));
        if (suppressed === undefined) return 'debug';
        refusals.set(response, suppressed);
        return 'warn';
      },
      customSuccessMessage: (_request, response) =>
        isAbandoned(response) ? 'the client went away before its answer' : 'request answered',
      customErrorMessage: () => 'request failed',
      // A status is no error that was thrown: the library makes one, whose stack shows the library.
      customErrorObject: (
        _request: IncomingMessage,
        response: ServerResponse,
        error: Error,
        fields: Readonly<Record<string, unknown>>,
      ) => {
        const { error: _, ...facts } = fields;
        const suppressed = refusals.get(response);
        return {
          ...(error.message.startsWith('failed with status code') ? facts : fields),
          ...(suppressed === undefined ? {} : { suppressed }),
        };
      },
    },
  });
}

/** The path as it came; the framework rewrites `url` while it runs middleware. */
function requestPath(request: IncomingMessage): string {
  const original = 'originalUrl' in request ? request.originalUrl : undefined;
  return shownPathOf(typeof original === 'string' ? original : (request.url ?? '/'));
}

/** Where the framework tells how it starts, line by line. */
const frameworkContexts = new Set<unknown>([
  'NestFactory',
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'NestApplication',
]);

/** Where the framework tells that a start has failed; errors of requests come from elsewhere. */
const startContexts = new Set<unknown>([...frameworkContexts, 'ExceptionHandler']);

/**
 * What Nest logs to until the application is there: a start that fails throws its error to whoever started it, and Nest
 * would print it once more, with its stack.
 */
export function startLogger(logger: PinoLogger): LoggerService {
  const aside = (message: unknown, ...details: unknown[]): void =>
    logger.debug({ context: details.at(-1) }, String(message));
  return {
    log: aside,
    error: aside,
    fatal: aside,
    warn: (message: unknown, ...details: unknown[]) =>
      logger.warn({ context: details.at(-1) }, String(message)),
  };
}

/** What Nest logs to: as it is, except that the framework's own chatter is for someone who looks for a fault. */
export function nestLogger(logger: NestPinoLogger): LoggerService {
  return {
    log: (message: unknown, ...details: unknown[]) => {
      if (frameworkContexts.has(details.at(-1))) logger.debug(message, ...details);
      else logger.log(message, ...details);
    },
    warn: (message: unknown, ...details: unknown[]) => logger.warn(message, ...details),
    error: (message: unknown, ...details: unknown[]) => {
      // A start that fails throws its error to whoever started it, who tells it once.
      if (startContexts.has(details.at(-1))) logger.debug(message, ...details);
      else logger.error(message, ...details);
    },
    fatal: (message: unknown, ...details: unknown[]) => logger.fatal(message, ...details),
    debug: (message: unknown, ...details: unknown[]) => logger.debug(message, ...details),
    verbose: (message: unknown, ...details: unknown[]) => logger.verbose(message, ...details),
  };
}

/** Whether its connection ended before it was answered. */
function isAbandoned(response: ServerResponse): boolean {
  return response.destroyed && !response.writableEnded;
}
