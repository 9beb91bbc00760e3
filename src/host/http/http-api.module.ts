import { type DynamicModule, type FactoryProvider, Module, type ModuleMetadata } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import type { Capability } from '../../capabilities/capability.ts';
import type { HttpPart, ServiceToken } from '../../capabilities/http-part.ts';
import { authenticationModeToken, type AuthenticationMode } from '../../http/authentication-mode.ts';
import { callerIdentificationToken } from '../../http/caller.ts';
import { invariant } from '../../kernel/invariant.ts';
import { capabilities } from '../capabilities.ts';
import { httpPartsToken } from './openapi.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { HealthController } from './health.controller.ts';
import { MetricsController, metricsToken } from './metrics.controller.ts';
import type { MetricsSource } from './shared-metrics.ts';
import { AppErrorFilter, ProblemFilter } from '../../http/problem.filter.ts';
import { Problems } from '../../http/problems.ts';
import { Readiness } from './readiness.ts';
import { StatusController, type StatusSource, statusToken } from './status.controller.ts';

/** What the HTTP API works with, made by the composition root. */
export interface HttpServices {
  /** What the capabilities offer, by its class or token. */
  readonly provided: ReadonlyMap<ServiceToken, unknown>;
  readonly status: StatusSource;
  readonly readiness: Readiness;
  readonly metrics: MetricsSource;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly authentication: AuthenticationMode;
}

export interface HttpApiModuleOptions {
  /** The parts of the API. Default those of all capabilities. */
  readonly parts?: readonly HttpPart[];
  readonly imports?: ModuleMetadata['imports'];
  readonly inject?: FactoryProvider['inject'];
  readonly useFactory: FactoryProvider<HttpServices>['useFactory'];
  /** What is served: everything, or only what every process must show (health and metrics). Default everything. */
  readonly surface?: HttpSurface;
  /** False where they have a port of their own. Default true. */
  readonly showsMetrics?: boolean;
}

export type HttpSurface = 'everything' | 'health_and_metrics';

const servicesToken = Symbol('millrace:http-services');

/**
 * The HTTP API as a module: health, metrics, status, and the parts of the capabilities. Its guard minds only routes with
 * `RequireScope` and its filter only Millrace's own errors, so it may stand in an application that has other routes.
 */
@Module({})
export class HttpApiModule {
  static async forRootAsync({
    imports = [],
    inject = [],
    useFactory,
    surface = 'everything',
    showsMetrics = true,
    parts,
  }: HttpApiModuleOptions): Promise<DynamicModule> {
    const all = parts ?? (await partsOf(capabilities));
    // Also where only health and metrics are served: routes of the application's own ask who calls.
    const identifying = all.filter(identifiesCallers);
    // Without anybody who finds out who calls, nothing is served that asks for it.
    const served = surface === 'everything' && identifying.length > 0 ? all : [];
    const provided = served.length > 0 ? served : identifying;
    return {
      module: HttpApiModule,
      imports,
      controllers: [
        HealthController,
        ...(showsMetrics ? [MetricsController] : []),
        ...(served.length > 0 ? [StatusController] : []),
        ...served.flatMap(({ controllers = [] }) => controllers),
      ],
      providers: [
        { provide: servicesToken, inject, useFactory },
        ...provided.flatMap(({ services, providers: more = [] }) => [
          ...services.map((token) => one(token, (made) => offered(made.provided, token))),
          ...more,
        ]),
        { provide: httpPartsToken, useValue: served },
        one(statusToken, (services) => services.status),
        one(Readiness, (services) => services.readiness),
        one(Problems, (services) => new Problems(services.logger, services.clock)),
        one(metricsToken, (services) => services.metrics),
        one(authenticationModeToken, (services) => services.authentication),
        ProblemFilter,
        { provide: APP_FILTER, useClass: AppErrorFilter },
      ],
      exports: [Readiness, ...provided.flatMap(({ services }) => services)],
    };
  }
}

/** The HTTP parts of capabilities. */
export async function partsOf(
  list: readonly Pick<Capability, 'name' | 'http' | 'errors' | 'status'>[],
): Promise<readonly HttpPart[]> {
  return await Promise.all(
    list.map(async ({ http, errors = {}, status }): Promise<HttpPart> => ({
      ...((await http?.()) ?? { services: [] }),
      errorCodes: Object.keys(errors),
      status: (await status?.())?.schema ?? {},
    })),
  );
}

function identifiesCallers({ providers = [] }: HttpPart): boolean {
  return providers.some(
    (provider) => 'provide' in provider && provider.provide === callerIdentificationToken,
  );
}

function offered(provided: HttpServices['provided'], token: ServiceToken): unknown {
  const service = provided.get(token);
  invariant(service !== undefined, 'a capability offers what its controllers are given');
  return service;
}

function one(provide: ServiceToken, choose: (services: HttpServices) => unknown): FactoryProvider {
  return { provide, inject: [servicesToken], useFactory: choose };
}
