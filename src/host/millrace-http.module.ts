import {
  type DynamicModule,
  Inject,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
} from '@nestjs/common';
import { Host } from './host.ts';
import { readStatusDocument } from './status-document.ts';
import { HttpApiModule, type HttpServices, type HttpSurface } from './http/http-api.module.ts';
import { listenForMetrics } from './http/metrics-server.ts';
import { Readiness } from './http/readiness.ts';

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

  static async forRoot({
    surface = 'everything',
    showsMetrics = true,
  }: { readonly surface?: HttpSurface; readonly showsMetrics?: boolean } = {}): Promise<DynamicModule> {
    return {
      module: MillraceHttpModule,
      imports: [
        await HttpApiModule.forRootAsync({
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
  return {
    provided: host.services,
    status: () => readStatusDocument({ database, clock, capabilities: host.capabilities }),
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
