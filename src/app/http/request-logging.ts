import type { IncomingMessage, ServerResponse } from 'node:http';
import { LoggerModule } from 'nestjs-pino';
import type { DynamicModule } from '@nestjs/common';
import type { PinoLogger } from '../../telemetry/logging.ts';
import { pathOf } from './request-facts.ts';

/*
 * One line a request: method, path, status, duration, request id. Neither headers nor query nor body go in: the first
 * hold keys, the others customers' names and payloads. Probes and scrapes, every few seconds, are not logged.
 */

const quietPaths = new Set(['/health/live', '/health/ready', '/metrics']);

/** Nest's own log lines and the requests', written by the process's logger. */
export function requestLogging(logger: PinoLogger): DynamicModule {
  return LoggerModule.forRoot({
    pinoHttp: {
      logger: logger.pino,
      wrapSerializers: false,
      quietReqLogger: true,
      customAttributeKeys: { reqId: 'requestId', responseTime: 'durationMs', err: 'error' },
      serializers: {
        req: (request: IncomingMessage) => ({ method: request.method, path: requestPath(request) }),
        res: (response: ServerResponse) => ({ statusCode: response.statusCode }),
      },
      customProps: (request) => ({ method: request.method, path: requestPath(request) }),
      autoLogging: { ignore: (request) => quietPaths.has(requestPath(request)) },
      customLogLevel: (_request, response, error) => (error !== undefined || response.statusCode >= 500 ? 'warn' : 'info'),
      customSuccessMessage: () => 'request answered',
      customErrorMessage: () => 'request failed',
    },
  });
}

/** The path as it came; the framework rewrites `url` while it runs middleware. */
function requestPath(request: IncomingMessage): string {
  const original = 'originalUrl' in request ? request.originalUrl : undefined;
  return pathOf(typeof original === 'string' ? original : (request.url ?? '/'));
}
