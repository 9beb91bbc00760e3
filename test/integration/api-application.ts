import { Module } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { HttpPart } from '../../src/capabilities/http-part.ts';
import { HttpApiModule, type HttpServices } from '../../src/host/http/http-api.module.ts';
import type { RefusalReason, RequestLimits } from '../../src/host/http/request-limits.ts';
import { createHttpApplication } from '../../src/host/http/server.ts';
import type { Clock } from '../../src/kernel/clock.ts';
import { createLogger, type PinoLogger } from '../../src/telemetry/logging.ts';

/** Log lines of an application under test. */
export class LogLines {
  readonly #lines: string[] = [];

  write(line: string): void {
    this.#lines.push(line);
  }

  get text(): string {
    return this.#lines.join('');
  }

  get parsed(): Record<string, unknown>[] {
    return this.#lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }
}

/** The HTTP API over the given services, ready to be spoken to without a socket. */
export async function startApi(
  services: (logger: PinoLogger) => HttpServices,
  options: {
    readonly lines?: LogLines;
    readonly bodyLimitBytes?: number;
    readonly closeGraceMs?: number;
    readonly version?: string;
    /** Default the parts of all capabilities. */
    readonly parts?: readonly HttpPart[];
    readonly limits?: RequestLimits;
    readonly clock?: Clock;
    /** Default info. */
    readonly logLevel?: 'info' | 'debug';
    readonly onRefused?: (reason: RefusalReason) => void;
  } = {},
): Promise<NestFastifyApplication> {
  const lines = options.lines ?? new LogLines();
  const logger = createLogger({ level: options.logLevel ?? 'info', destination: lines });

  const parts = options.parts === undefined ? {} : { parts: options.parts };
  @Module({ imports: [HttpApiModule.forRootAsync({ useFactory: () => services(logger), ...parts })] })
  class ApiUnderTest {}

  const app = await createHttpApplication(ApiUnderTest, {
    logger,
    version: options.version ?? '1.2.3',
    bodyLimitBytes: options.bodyLimitBytes ?? 100_000,
    ...(options.clock === undefined ? {} : { clock: options.clock }),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    ...(options.onRefused === undefined ? {} : { onRefused: options.onRefused }),
    ...(options.closeGraceMs === undefined ? {} : { closeGraceMs: options.closeGraceMs }),
  });
  await app.init();
  await app.getHttpAdapter().getInstance().ready();
  return app;
}
