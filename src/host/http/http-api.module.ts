import { type DynamicModule, type FactoryProvider, Module, type ModuleMetadata } from '@nestjs/common';
import { APP_FILTER, APP_GUARD } from '@nestjs/core';
import { ApiKeys } from '../../capabilities/access/api-keys.ts';
import { BudgetReports } from '../../capabilities/budgets/budget-reports.ts';
import { BudgetsController } from '../../capabilities/budgets/budgets.controller.ts';
import { CostReports } from '../../capabilities/costs/cost-reports.ts';
import { clockToken, CostsController } from '../../capabilities/costs/costs.controller.ts';
import { MessageAccounts } from '../../capabilities/message-operations/message-accounts.ts';
import type { Clock } from '../../kernel/clock.ts';
import { DeadLetterOffice } from '../../capabilities/dead-letters/dead-letter-office.ts';
import { HoldOffice } from '../../capabilities/pauses/hold-office.ts';
import { CorrectionOffice } from '../../capabilities/corrections/correction-office.ts';
import { ErasureOffice } from '../../capabilities/erasure/erasure-office.ts';
import { MessageOffice } from '../../capabilities/message-operations/message-office.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { AuthenticationGuard } from '../../capabilities/access/authentication.guard.ts';
import { CallsController } from '../../capabilities/corrections/calls.controller.ts';
import { DeadLettersController } from '../../capabilities/dead-letters/dead-letters.controller.ts';
import { ErasuresController } from '../../capabilities/erasure/erasures.controller.ts';
import { EventIntake } from '../../capabilities/ingest/event-intake.ts';
import { HealthController } from './health.controller.ts';
import { HoldsController } from '../../capabilities/pauses/holds.controller.ts';
import { MessageOperationsController } from '../../capabilities/message-operations/message-operations.controller.ts';
import { KeysController } from '../../capabilities/access/keys.controller.ts';
import { MessagesController } from '../../capabilities/ingest/messages.controller.ts';
import { MetricsController, metricsToken } from './metrics.controller.ts';
import type { MetricsSource } from './shared-metrics.ts';
import { AppErrorFilter, ProblemFilter } from '../../http/problem.filter.ts';
import { Problems } from '../../http/problems.ts';
import { Readiness } from './readiness.ts';
import { StatusController, type StatusSource, statusToken } from './status.controller.ts';
import {
  type AuthenticationMode,
  authenticationModeToken,
  RequestAuthentication,
} from '../../capabilities/access/request-authentication.ts';

/** What the HTTP API works with, made by the composition root. */
export interface HttpServices {
  readonly costReports: CostReports;
  readonly budgetReports: BudgetReports;
  readonly apiKeys: ApiKeys;
  readonly messageAccounts: MessageAccounts;
  readonly eventIntake: EventIntake;
  readonly deadLetters: DeadLetterOffice;
  readonly holds: HoldOffice;
  readonly messages: MessageOffice;
  /** Absent in an application that corrects nothing. */
  readonly corrections: CorrectionOffice;
  readonly erasures: ErasureOffice;
  readonly status: StatusSource;
  readonly readiness: Readiness;
  readonly metrics: MetricsSource;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly authentication: AuthenticationMode;
}

export interface HttpApiModuleOptions {
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
 * The HTTP API as a module: costs, messages, dead letters, holds, health, metrics. Its guard minds only routes with
 * `RequireScope` and its filter only Millrace's own errors, so it may stand in an application that has other routes.
 */
@Module({})
export class HttpApiModule {
  static forRootAsync({
    imports = [],
    inject = [],
    useFactory,
    surface = 'everything',
    showsMetrics = true,
  }: HttpApiModuleOptions): DynamicModule {
    return {
      module: HttpApiModule,
      imports,
      controllers: [
        HealthController,
        ...(showsMetrics ? [MetricsController] : []),
        ...(surface === 'everything'
          ? [
              CostsController,
              BudgetsController,
              MessagesController,
              MessageOperationsController,
              DeadLettersController,
              HoldsController,
              StatusController,
              KeysController,
              CallsController,
              ErasuresController,
            ]
          : []),
      ],
      providers: [
        { provide: servicesToken, inject, useFactory },
        one(CostReports, (services) => services.costReports),
        one(BudgetReports, (services) => services.budgetReports),
        one(ApiKeys, (services) => services.apiKeys),
        one(MessageAccounts, (services) => services.messageAccounts),
        one(EventIntake, (services) => services.eventIntake),
        one(DeadLetterOffice, (services) => services.deadLetters),
        one(HoldOffice, (services) => services.holds),
        one(MessageOffice, (services) => services.messages),
        one(CorrectionOffice, (services) => services.corrections),
        one(ErasureOffice, (services) => services.erasures),
        one(statusToken, (services) => services.status),
        one(Readiness, (services) => services.readiness),
        one(Problems, (services) => new Problems(services.logger, services.clock)),
        one(metricsToken, (services) => services.metrics),
        one(clockToken, (services) => services.clock),
        one(authenticationModeToken, (services) => services.authentication),
        one(
          RequestAuthentication,
          ({ apiKeys, authentication }) => new RequestAuthentication(apiKeys, authentication),
        ),
        ProblemFilter,
        { provide: APP_GUARD, useClass: AuthenticationGuard },
        { provide: APP_FILTER, useClass: AppErrorFilter },
      ],
      exports: [ApiKeys, CostReports, Readiness],
    };
  }
}

function one(
  provide: NonNullable<FactoryProvider['provide']>,
  choose: (services: HttpServices) => unknown,
): FactoryProvider {
  return { provide, inject: [servicesToken], useFactory: choose };
}
