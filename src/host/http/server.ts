import { type DynamicModule, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { Logger as NestPinoLogger } from 'nestjs-pino';
import { AppError } from '../../kernel/app-error.ts';
import { type Clock, systemClock } from '../../kernel/clock.ts';
import type { PinoLogger } from '../../telemetry/logging.ts';
import { closeGracefully } from './graceful-close.ts';
import { isLoopbackHost } from '../../http/loopback.ts';
import { serveOpenApi } from './openapi.ts';
import { ProblemFilter } from '../../http/problem.filter.ts';
import { authenticationModeToken, type AuthenticationMode } from '../../http/authentication-mode.ts';
import { type CallerIdentification, callerIdentificationToken } from '../../http/caller.ts';
import { guardRequests } from './request-door.ts';
import { nestLogger, requestLogging, startLogger } from './request-logging.ts';
import { defaultRequestLimits, type RefusalReason, RequestLimits } from './request-limits.ts';
import { answerClientError } from './client-errors.ts';
import { addResponseHeaders, answerRouterError, requestIds } from './response-headers.ts';

/*
 * The HTTP server of an application that is Millrace's own. It closes in order: no new connections and 503 for late
 * requests on open ones, then the requests in progress end, then the modules' shutdown hooks run.
 */

export interface HttpApplicationOptions {
  readonly logger: PinoLogger;
  /** Shown in the OpenAPI document. */
  readonly version: string;
  /** The largest body of a request: a whole batch of events. */
  readonly bodyLimitBytes: number;
  readonly clock?: Clock;
  /** Default those of the configuration's defaults. */
  readonly limits?: RequestLimits;
  /** Called for every request that is refused before it is read. */
  readonly onRefused?: (reason: RefusalReason) => void;
  /** How long requests in progress may go on when the server closes. Default 10 seconds. */
  readonly closeGraceMs?: number;
}

/** How long a client may take to send its headers. */
const headersTimeoutMs = 15_000;
/** How long for a whole request at least, which the door bounds more closely. */
const requestTimeoutMs = 60_000;

/**
 * Makes the application of a root module that imports HttpApiModule. Nothing listens yet and no hook has run: that is
 * `listenHttp`, or `init` for one that is only spoken to in the process.
 */
export async function createHttpApplication(
  rootModule: Type | DynamicModule,
  options: HttpApplicationOptions,
): Promise<NestFastifyApplication> {
  const { logger, version, bodyLimitBytes, clock = systemClock, closeGraceMs = 10_000 } = options;
  const limits = options.limits ?? new RequestLimits(defaultRequestLimits, clock);
  const adapter = new FastifyAdapter({
    bodyLimit: bodyLimitBytes,
    genReqId: requestIds(clock),
    requestIdHeader: false,
    requestTimeout: Math.max(
      requestTimeoutMs,
      headersTimeoutMs + 2 * limits.settings.bodyTimeoutMs,
      headersTimeoutMs + limits.settings.uploadTimeoutMs,
    ),
    http: { headersTimeout: headersTimeoutMs, connectionsCheckingInterval: 5_000 },
    frameworkErrors: answerRouterError,
    clientErrorHandler: answerClientError,
  });
  const fastify: FastifyInstance = adapter.getInstance();
  // First of all hooks, so that no answer goes without them.
  addResponseHeaders(fastify);
  closeGracefully(fastify, closeGraceMs, clock);
  const app = await NestFactory.create<NestFastifyApplication>(
    { module: HttpApplication, imports: [requestLogging(logger, clock), rootModule] },
    adapter,
    {
      logger: startLogger(logger),
      bufferLogs: true,
      abortOnError: false,
      return503OnClosing: true,
      bodyParser: false,
    },
  );
  app.useLogger(nestLogger(app.get(NestPinoLogger)));
  app.useGlobalFilters(app.get(ProblemFilter, { strict: false }));
  guardRequests(fastify, {
    limits,
    authentication: () => app.get<CallerIdentification>(callerIdentificationToken, { strict: false }),
    bodyLimitBytes,
    onRefused: options.onRefused ?? (() => undefined),
  });
  serveOpenApi(app, version);
  return app;
}

/**
 * Starts the application and listens. Answers the address to reach it at. Throws MILLRACE_CONFIG_INVALID for an open
 * API on an address that others reach, and MILLRACE_HTTP_ADDRESS_UNAVAILABLE.
 */
export async function listenHttp(
  app: NestFastifyApplication,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<string> {
  const mode = app.get<AuthenticationMode>(authenticationModeToken, { strict: false });
  if (mode === 'none' && !isLoopbackHost(host)) {
    const problem = `"none" is for loopback addresses only, not for ${host}`;
    throw new AppError('MILLRACE_CONFIG_INVALID', `http.auth: ${problem}`, {
      faults: [{ field: 'http.auth', problem }],
    });
  }
  try {
    await app.listen({ host, port });
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    throw new AppError(
      'MILLRACE_HTTP_ADDRESS_UNAVAILABLE',
      `Cannot listen on ${host} port ${port}: ${error.message}`,
      { cause: error },
    );
  }
  return await app.getUrl();
}

@Module({})
class HttpApplication {}
