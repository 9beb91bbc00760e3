import 'reflect-metadata';
import {
  type DynamicModule,
  type INestApplicationContext,
  Module,
  type Provider,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Logger } from '../telemetry/logger.ts';
import { createLogger, type PinoLogger } from '../telemetry/logging.ts';
import { systemClock } from '../kernel/clock.ts';
import { Host } from './host.ts';
import { refusalReasons, RequestLimits } from './http/request-limits.ts';
import { createHttpApplication, listenHttp } from './http/server.ts';
import { MillraceHttpModule } from './millrace-http.module.ts';
import { Millrace } from './millrace.ts';
import { openingLines } from './opening-lines.ts';
import { progressLine, progressLines } from './progress-lines.ts';
import {
  type MillraceModuleOptions,
  configurationOfModule,
  moduleOpening,
  openHost,
} from './millrace.module.ts';
import { watchShutdownSignals } from '../terminal/shutdown-signals.ts';
import { version } from './version.ts';

/** An application for those who have none: stages, and what they need. */
export interface MillraceAppOptions extends MillraceModuleOptions {
  /** Modules that bring stages or what stages inject. */
  readonly imports?: readonly (Type | DynamicModule)[];
  /** Stages and other providers. */
  readonly providers?: readonly Provider[];
  /** Whether to listen for HTTP: /metrics and /health, and with the role `api` the API. Default true. */
  readonly http?: boolean;
  /**
   * Whether SIGTERM and SIGINT stop the application in order and end the process; a second one ends it at once. Default
   * true. False for those who listen to signals themselves and call `close()`.
   */
  readonly signals?: boolean;
  /**
   * Whether to write to standard error which stores are opened, and then what this process has done and spent, a line at
   * most every two seconds. Default: where standard error is a terminal, unless logging is silent; elsewhere one line of
   * the log says what a start opens.
   */
  readonly progress?: boolean;
}

/** A running application. */
export interface MillraceApp {
  readonly millrace: Millrace;
  /** The Nest application, for whatever else is in it. */
  readonly nest: INestApplicationContext;
  /** Where the API listens; undefined without HTTP. */
  readonly url: string | undefined;
  /** Stops in order: HTTP, workers, maintenance, stores. */
  close(): Promise<void>;
}

/**
 * Starts an application with Millrace and the given stages: embedded, unless the configuration names servers. Throws
 * MILLRACE_CONFIG_INVALID with every fault, MILLRACE_DATA_IN_USE, or what keeps a store from opening.
 */
export async function createMillraceApp(options: MillraceAppOptions = {}): Promise<MillraceApp> {
  const { imports = [], providers = [], http = true, signals = true, progress, ...moduleOptions } = options;
  const configuration = configurationOfModule(moduleOptions);
  const { host, port } = configuration.http;
  const surface = configuration.roles.includes('api') ? 'everything' : 'health_and_metrics';
  const logger = options.logger ?? createLogger({ level: configuration.logging.level });
  const isShown = progress ?? (process.stderr.isTTY && configuration.logging.level !== 'silent');
  const onOpening = openingLines(configuration, isShown ? writeLine : undefined, logger);
  const finish = (nest: INestApplicationContext, url: string | undefined): MillraceApp => {
    const app = isShown ? withProgress(appOf(nest, url)) : appOf(nest, url);
    return signals ? endOnSignals(app, logger) : app;
  };
  let opening: Promise<Host> | undefined;
  const root: DynamicModule = {
    module: MillraceApplication,
    imports: [
      moduleOpening(() => (opening ??= openHost(moduleOptions, onOpening))),
      ...(http
        ? [
            await MillraceHttpModule.forRoot({
              surface,
              showsMetrics: configuration.http.metricsPort === undefined,
            }),
          ]
        : []),
      ...imports,
    ],
    providers: [...providers],
  };
  let application: NestFastifyApplication | undefined;
  try {
    if (!http) {
      const context = await NestFactory.createApplicationContext(root, {
        logger: false,
        abortOnError: false,
      });
      return finish(context, undefined);
    }
    const limits = new RequestLimits(configuration.http.limits, systemClock);
    const made = await createHttpApplication(root, {
      logger: isPino(options.logger) ? options.logger : createLogger({ level: configuration.logging.level }),
      version,
      bodyLimitBytes: configuration.http.limits.bodyBytes,
      limits,
      onRefused: (reason) => made.get(Host).metrics.increment('http_refused_total', { reason }),
    });
    application = made;
    boundRequests(made.get(Host), limits);
    return finish(made, await listenHttp(made, { host, port }));
  } catch (error) {
    // Nest runs no hooks of an application that it did not make or begin, and the host may still be opening.
    await application?.close().catch((reason: unknown) => {
      if (reason !== error)
        logger.warn({ error: reason }, 'the application that did not start did not close in order');
    });
    const opened = await opening?.catch(() => undefined);
    await opened?.stop();
    throw error;
  }
}

function boundRequests({ bounds, metrics }: Host, { levels }: RequestLimits): void {
  bounds.register('http_requests', levels.requests);
  bounds.register('http_body_bytes', levels.bodyBytes);
  bounds.register('http_turns', levels.turns);
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

/** How long what still holds the process open may do so after an orderly end. */
const exitPatienceMs = 1000;

function endOnSignals(app: MillraceApp, logger: Logger): MillraceApp {
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= app.close();
    return closing;
  };
  const watched = watchShutdownSignals((name) => {
    logger.info({ signal: name }, 'stopping in order; a second signal ends the process at once');
    close().then(
      () => leave(0),
      (error: unknown) => {
        logger.error({ error }, 'the application did not stop in order');
        leave(1);
      },
    );
  });
  return { ...app, close: () => close().finally(() => watched.release()) };
}

/** The process ends by itself, so that what it wrote is flushed, unless something that is not ours holds it. */
function leave(code: number): void {
  process.exitCode = code;
  systemClock.startTimer(exitPatienceMs, () => process.exit(code)).unref();
}

function writeLine(line: string): void {
  process.stderr.write(`${line}\n`);
}

function withProgress(app: MillraceApp): MillraceApp {
  const { metrics } = app.nest.get(Host);
  const lines = progressLines(metrics, systemClock, writeLine);
  lines.start();
  return {
    ...app,
    async close() {
      await lines.stop();
      await app.close();
      const line = await progressLine(metrics);
      if (line !== '') writeLine(line);
    },
  };
}

function appOf(nest: INestApplicationContext, url: string | undefined): MillraceApp {
  return { nest, url, millrace: nest.get(Millrace), close: () => nest.close() };
}
