import {
  type DynamicModule,
  Inject,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
} from '@nestjs/common';
import { ApiKeys } from '../capabilities/access/api-keys.ts';
import { BudgetReports } from '../capabilities/budgets/budget-reports.ts';
import { CostReports } from '../capabilities/costs/cost-reports.ts';
import { MessageAccounts } from '../capabilities/message-operations/message-accounts.ts';
import { ConcurrencyLimiter } from '../kernel/concurrency-limiter.ts';
import { erasureOfficeOver } from './erasure-office-over.ts';
import { Host } from './host.ts';
import { readHostStatus } from './host-status.ts';
import { EventIntake } from '../capabilities/ingest/event-intake.ts';
import { HttpApiModule, type HttpServices, type HttpSurface } from './http/http-api.module.ts';
import { listenForMetrics } from './http/metrics-server.ts';
import { Readiness } from './http/readiness.ts';

const maxWaitingReports = 100;
const maxWaitingReportsPerKey = 20;
/** With the report itself this stays within what a caller waits for. */
const reportWaitMs = 1_500;

/** Millrace's API, /metrics and /health over the host that MillraceModule brought into the application. */
@Module({})
export class MillraceHttpModule implements OnModuleDestroy, OnApplicationBootstrap, OnApplicationShutdown {
  readonly #readiness: Readiness;
  readonly #host: Host;
  #metricsServer: Awaited<ReturnType<typeof listenForMetrics>> | undefined;

  constructor(@Inject(Readiness) readiness: Readiness, @Inject(Host) host: Host) {
    this.#readiness = readiness;
    this.#host = host;
  }

  /** Where metrics are served by themselves; undefined when they are not. */
  get metricsPort(): number | undefined {
    return this.#metricsServer?.port;
  }

  static forRoot({
    surface = 'everything',
    showsMetrics = true,
  }: { readonly surface?: HttpSurface; readonly showsMetrics?: boolean } = {}): DynamicModule {
    return {
      module: MillraceHttpModule,
      imports: [
        HttpApiModule.forRootAsync({
          inject: [Host],
          useFactory: (host: Host) => servicesOf(host),
          surface,
          showsMetrics,
        }),
      ],
    };
  }

  async onApplicationBootstrap(): Promise<void> {
    const { configuration, metrics } = this.#host;
    const { host, metricsPort: port } = configuration.http;
    if (port === undefined) return;
    this.#metricsServer = await listenForMetrics({ host, port, metrics, readiness: this.#readiness });
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#metricsServer?.close();
  }

  /** Before anything closes, no new traffic is to come. */
  onModuleDestroy(): void {
    this.#readiness.beginStop();
  }
}

function servicesOf(host: Host): HttpServices {
  const { database, queues, columns } = host.stores;
  const clock = host.clock.time;
  const { concurrentReports, concurrentReportsPerKey } = host.configuration.http.limits;
  const reports = new ConcurrencyLimiter({
    what: 'Cost reports',
    limit: concurrentReports,
    limitPerKey: concurrentReportsPerKey ?? Math.max(1, Math.floor(concurrentReports / 2)),
    maxWaiting: maxWaitingReports,
    maxWaitingPerKey: maxWaitingReportsPerKey,
    maxWaitMs: reportWaitMs,
    clock,
  });
  host.bounds.register('cost_reports', reports);
  return {
    costReports: new CostReports({
      store: columns,
      limiter: reports,
      limits: host.configuration.costs.reports,
      exportLagSeconds: async () => (await host.exports.backlog()).oldestSeconds,
    }),
    budgetReports: new BudgetReports(host.budgets.ledger),
    apiKeys: new ApiKeys({ database, clock }),
    messageAccounts: new MessageAccounts(database),
    eventIntake: new EventIntake(host.admissions),
    deadLetters: host.deadLetters,
    holds: host.holds.office,
    erasures: erasureOfficeOver(host.stores, { clock: host.clock.time, metrics: host.metrics }),
    messages: host.steering.office,
    corrections: host.corrections,
    status: () => readHostStatus({ database, clock }),
    readiness: new Readiness({
      clock,
      checks: [
        { name: 'ledger', isRequired: true, ping: () => database.ping() },
        // A full disk answers a ping.
        { name: 'ledgerWrites', isRequired: true, ping: () => host.writes.check() },
        { name: 'queue', isRequired: true, ping: () => queues.ping() },
        // Work goes on by the ledger's clock.
        { name: 'clock', isRequired: false, ping: () => host.clock.check() },
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
