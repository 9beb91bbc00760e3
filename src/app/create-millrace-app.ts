import 'reflect-metadata';
import {
  type DynamicModule,
  type INestApplicationContext,
  Module,
  type Provider,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Logger } from '../telemetry/logger.ts';
import { createLogger, type PinoLogger } from '../telemetry/logging.ts';
import { systemClock } from '../kernel/clock.ts';
import { Host } from './host.ts';
import { refusalReasons, RequestLimits } from './http/request-limits.ts';
import { createHttpApplication, listenHttp } from './http/server.ts';
import { MillraceHttpModule } from './millrace-http.module.ts';
import { Millrace } from './millrace.ts';
import { MillraceModule, type MillraceModuleOptions, configurationOf } from './millrace.module.ts';
import { version } from './version.ts';

/** An application for those who have none: stages, and what they need. */
export interface MillraceAppOptions extends MillraceModuleOptions {
  /** Modules that bring stages or what stages inject. */
  readonly imports?: readonly (Type | DynamicModule)[];
  /** Stages and other providers. */
  readonly providers?: readonly Provider[];
  /** Whether to listen for HTTP: /metrics and /health, and with the role `api` the API. Default true. */
  readonly http?: boolean;
}

/** A running application. */
export interface MillraceApp {
  readonly millrace: Millrace;
  /** The Nest application, for whatever else is in it. */
  readonly nest: INestApplicationContext;
  /** Where the API listens; undefined without HTTP. */
  readonly url: string | undefined;
  /** Stops in order: HTTP, workers, relay, stores. */
  close(): Promise<void>;
}

/**
 * Starts an application with Millrace and the given stages: embedded, unless the configuration names servers. Throws
 * MILLRACE_CONFIG_INVALID with every fault, MILLRACE_DATA_IN_USE, or what keeps a store from opening.
 */
export async function createMillraceApp(options: MillraceAppOptions = {}): Promise<MillraceApp> {
  const { imports = [], providers = [], http = true, ...moduleOptions } = options;
  const configuration = configurationOf(moduleOptions);
  const { host, port } = configuration.http;
  const surface = configuration.roles.includes('api') ? 'everything' : 'health_and_metrics';
  const root: DynamicModule = {
    module: MillraceApplication,
    imports: [
      MillraceModule.forRoot(moduleOptions),
      ...(http
        ? [
            MillraceHttpModule.forRoot({
              surface,
              showsMetrics: configuration.http.metricsPort === undefined,
            }),
          ]
        : []),
      ...imports,
    ],
    providers: [...providers],
  };
  if (!http) {
    const context = await NestFactory.createApplicationContext(root, { logger: false, abortOnError: false });
    return appOf(context, undefined);
  }
  const limits = new RequestLimits(configuration.http.limits, systemClock);
  const application = await createHttpApplication(root, {
    logger: isPino(options.logger) ? options.logger : createLogger({ level: configuration.logging.level }),
    version,
    bodyLimitBytes: configuration.http.limits.bodyBytes,
    limits,
    onRefused: (reason) => application.get(Host).metrics.increment('http_refused_total', { reason }),
  });
  boundRequests(application.get(Host), limits);
  try {
    return appOf(application, await listenHttp(application, { host, port }));
  } catch (error) {
    await application.close();
    throw error;
  }
}

function boundRequests({ bounds, metrics }: Host, { levels }: RequestLimits): void {
  bounds.register('http_requests', levels.requests);
  bounds.register('http_body_bytes', levels.bodyBytes);
  metrics.initialise(
    'http_refused_total',
    refusalReasons.map((reason) => ({ reason })),
  );
}

@Module({})
class MillraceApplication {}

/** Requests are logged by pino alone: by the given logger when it is one. */
function isPino(logger: Logger | undefined): logger is PinoLogger {
  return logger !== undefined && 'pino' in logger;
}

function appOf(nest: INestApplicationContext, url: string | undefined): MillraceApp {
  return { nest, url, millrace: nest.get(Millrace), close: () => nest.close() };
}
