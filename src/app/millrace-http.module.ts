import { type DynamicModule, Inject, Module, type OnModuleDestroy } from '@nestjs/common';
import { ApiKeys } from '../costs/api-keys.ts';
import { BudgetReports } from '../costs/budget-reports.ts';
import { CostReports } from '../costs/cost-reports.ts';
import { MessageAccounts } from '../costs/message-accounts.ts';
import { systemClock } from '../kernel/clock.ts';
import { ConcurrencyLimiter } from '../kernel/concurrency-limiter.ts';
import { Host } from './host.ts';
import { EventIntake } from './http/event-intake.ts';
import { HttpApiModule, type HttpServices, type HttpSurface } from './http/http-api.module.ts';
import { Readiness } from './http/readiness.ts';

const maxWaitingReports = 100;
/** With the report itself this stays within what a caller waits for. */
const reportWaitMs = 1_500;

/** Millrace's API, /metrics and /health over the host that MillraceModule brought into the application. */
@Module({})
export class MillraceHttpModule implements OnModuleDestroy {
  readonly #readiness: Readiness;

  constructor(@Inject(Readiness) readiness: Readiness) {
    this.#readiness = readiness;
  }

  static forRoot({ surface = 'everything' }: { readonly surface?: HttpSurface } = {}): DynamicModule {
    return {
      module: MillraceHttpModule,
      imports: [
        HttpApiModule.forRootAsync({ inject: [Host], useFactory: (host: Host) => servicesOf(host), surface }),
      ],
    };
  }

  /** Before anything closes, no new traffic is to come. */
  onModuleDestroy(): void {
    this.#readiness.beginStop();
  }
}

function servicesOf(host: Host): HttpServices {
  const { database, queues, columns } = host.stores;
  const clock = systemClock;
  const reports = new ConcurrencyLimiter({
    what: 'Cost reports',
    limit: host.configuration.http.limits.concurrentReports,
    maxWaiting: maxWaitingReports,
    maxWaitMs: reportWaitMs,
    clock,
  });
  host.bounds.register('cost_reports', reports);
  return {
    costReports: new CostReports({
      store: columns,
      limiter: reports,
      exportLagSeconds: async () => (await host.exports.backlog()).oldestSeconds,
    }),
    budgetReports: new BudgetReports(host.budgets.ledger),
    apiKeys: new ApiKeys({ database, clock }),
    messageAccounts: new MessageAccounts(database),
    eventIntake: new EventIntake(host.admissions),
    deadLetters: host.deadLetters,
    holds: host.holds.office,
    readiness: new Readiness({
      clock,
      checks: [
        { name: 'ledger', isRequired: true, ping: () => database.ping() },
        // A full disk answers a ping.
        { name: 'ledgerWrites', isRequired: true, ping: () => host.writes.check() },
        { name: 'queue', isRequired: true, ping: () => queues.ping() },
        // Without it work goes on: usage waits in the ledger.
        { name: 'columnStore', isRequired: false, ping: () => columns.ping() },
      ],
    }),
    metrics: host.metrics,
    logger: host.logger,
    clock,
    authentication: host.configuration.http.auth,
  };
}
