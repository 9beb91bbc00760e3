import 'reflect-metadata';
import { type DynamicModule, type INestApplicationContext, Module, type Provider, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Millrace } from './millrace.ts';
import { MillraceModule, type MillraceModuleOptions } from './millrace.module.ts';
import { createHttpApplication } from './http/server.ts';

/** An application for those who have none: stages, and what they need. */
export interface MillraceAppOptions extends MillraceModuleOptions {
  /** Modules that bring stages or what stages inject. */
  readonly imports?: readonly (Type | DynamicModule)[];
  /** Stages and other providers. */
  readonly providers?: readonly Provider[];
  /** Whether to listen for HTTP: the API, /metrics, /health. Default true. */
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

/** Starts an application with Millrace and the given stages. Everything embedded unless the configuration names servers. */
export async function createMillraceApp(options: MillraceAppOptions): Promise<MillraceApp> {
  const { imports = [], providers = [], http = true, ...moduleOptions } = options;
  class MillraceRoot {}
  Module({ imports: [MillraceModule.forRoot(moduleOptions), ...imports], providers: [...providers] })(MillraceRoot);
  if (http) {
    const { application, url } = await createHttpApplication(MillraceRoot);
    return appOf(application, url);
  }
  const context = await NestFactory.createApplicationContext(MillraceRoot, { logger: false, abortOnError: false });
  return appOf(context, undefined);
}

function appOf(nest: INestApplicationContext, url: string | undefined): MillraceApp {
  return { nest, url, millrace: nest.get(Millrace), close: () => nest.close() };
}
