import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateText } from 'ai';
import { z } from 'zod';
import { Host } from '../../src/host/host.ts';
import { loadConfiguration } from '../../src/host/load-configuration.ts';
import { defineMessage } from '../../src/messages/message-type.ts';
import { defineStage, type MessageOf } from '../../src/engine/pipeline/stage-definition.ts';
import type { StageContext } from '../../src/engine/pipeline/stage-context.ts';
import type { RegisteredStage } from '../../src/engine/pipeline/stage-registry.ts';
import type { BillEntry } from '../../src/simulator/bill.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { ClickHouseHttpServer, serverPassword, serverUser } from './clickhouse-http-server.ts';
import { fillColumnsDirectory } from './migrated-columns.ts';
import { PostgresServer } from './postgres-server.ts';
import { RedisServer } from './redis-server.ts';
import { SimulatorServer } from './simulator-server.ts';

/*
 * Two hosts over one PostgreSQL and one Redis, and a provider that enforces a limit of tokens a minute on one of its
 * models. Both the hosts and the provider are told the same limit; what was used is read from the provider's bill.
 */

export const limitedModel = 'gpt-5-mini';
const freeModel = 'gpt-4.1-mini';

const asked = z.object({ n: z.number(), text: z.string() });
export const Limited = defineMessage('limits.limited').version(1, asked);
export const Free = defineMessage('limits.free').version(1, asked);

const limited = defineStage('limited', { consumes: Limited.upTo(1), concurrency: 16, timeout: '60s' });
const free = defineStage('free', { consumes: Free.upTo(1), concurrency: 16, timeout: '60s' });

const origin = { team: 'blue', customer: 'acme', feature: 'limits' };

export interface LimitedHostsOptions {
  readonly tokensPerMinute: number;
  readonly hosts: number;
  readonly latency: { readonly medianMs: number; readonly p99Ms: number };
  /** Whether the hosts know of the limit: without it they only have the provider's refusals. */
  readonly isConfigured: boolean;
}

/** What the provider saw of the limited model. */
export interface ProviderView {
  readonly answered: number;
  readonly refused: number;
  readonly tokens: number;
  /** What an even refill has allowed since the first request, with the full bucket that it found. */
  readonly allowed: number;
}

export class LimitedHosts {
  readonly simulator: SimulatorServer;
  readonly hosts: readonly Host[];
  /** Messages for the model without a limit that are done. */
  freeDone = 0;
  onFree: (() => void) | undefined;
  readonly #servers: { stop(): Promise<void> }[];
  readonly #directory: string;
  readonly #tokensPerMinute: number;
  #admitted = 0;

  private constructor(
    simulator: SimulatorServer,
    hosts: Host[],
    servers: { stop(): Promise<void> }[],
    directory: string,
    tokensPerMinute: number,
  ) {
    this.simulator = simulator;
    this.hosts = hosts;
    this.#servers = servers;
    this.#directory = directory;
    this.#tokensPerMinute = tokensPerMinute;
  }

  static async start({
    tokensPerMinute,
    hosts: count,
    latency,
    isConfigured,
  }: LimitedHostsOptions): Promise<LimitedHosts> {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-limits-'));
    await fillColumnsDirectory(join(directory, 'columns'));
    const columns = new ClickHouseHttpServer(join(directory, 'columns'));
    const [postgres, redis, simulator] = await Promise.all([
      PostgresServer.start(),
      RedisServer.start(),
      SimulatorServer.start(directory, { latency, limits: { [limitedModel]: { tokensPerMinute } } }),
      columns.start(),
    ]);
    const ledgerUrl = await postgres.createLedger('limits');
    const hosts: Host[] = [];
    const self = new LimitedHosts(
      simulator,
      hosts,
      [simulator, redis, postgres, columns],
      directory,
      tokensPerMinute,
    );
    for (let index = 0; index < count; index += 1) {
      const host = await Host.open({
        configuration: loadConfiguration({
          environment: {},
          options: {
            roles: index === 0 ? ['api', 'worker', 'maintenance'] : ['worker'],
            dataDirectory: join(directory, `data-${index}`),
            ledger: { url: ledgerUrl },
            queue: { url: redis.url },
            columnStore: { url: columns.url, user: serverUser, password: serverPassword },
            models: {
              providers: {
                openai: { kind: 'openai', baseUrl: `${simulator.url}/openai/v1`, apiKey: 'simulated' },
              },
            },
            limits: { models: isConfigured ? { [`openai/${limitedModel}`]: { tokensPerMinute } } : {} },
          },
        }),
        logger: silentLogger,
      });
      await host.start(self.#stages());
      hosts.push(host);
    }
    return self;
  }

  /** Admits messages whose prompts differ in length; each is one call. */
  async admit(type: typeof Limited.v1, count: number): Promise<void> {
    const host = this.hosts[0];
    if (host === undefined) throw new Error('no host runs');
    await Promise.all(
      Array.from({ length: count }, () => {
        this.#admitted += 1;
        const text = `The ${this.#admitted}th text. ${'Some words of a report. '.repeat(4 + (this.#admitted % 40))}`;
        return host.admissions.admit(type, { n: this.#admitted, text }, { origin });
      }),
    );
  }

  async look(): Promise<ProviderView> {
    const [bill, stats] = await Promise.all([this.simulator.readBill(), this.simulator.readStats()]);
    const entries = bill.filter((entry) => entry.modelAsked === limitedModel);
    const [first] = entries;
    const elapsedMs = first === undefined ? 0 : Date.now() - Date.parse(first.at);
    return {
      allowed: this.#tokensPerMinute * (1 + elapsedMs / 60_000),
      answered: entries.length,
      refused: stats.byStatus['429'] ?? 0,
      tokens: entries.reduce((sum, entry) => sum + tokensOf(entry), 0),
    };
  }

  async stop(): Promise<void> {
    await Promise.all(this.hosts.map((host) => host.stop()));
    await Promise.all(this.#servers.map((server) => server.stop()));
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #stages(): readonly RegisteredStage[] {
    const ask = async (model: string, { text }: { text: string }, ctx: StageContext): Promise<void> => {
      await generateText({
        model: ctx.model(`openai/${model}`, { step: 'ask' }),
        prompt: text,
        maxOutputTokens: 400,
        abortSignal: ctx.signal,
      });
    };
    return [
      {
        definition: limited,
        handler: {
          handle: ({ data }: MessageOf<typeof limited>, ctx: StageContext) => ask(limitedModel, data, ctx),
        },
      },
      {
        definition: free,
        handler: {
          handle: async ({ data }: MessageOf<typeof free>, ctx: StageContext) => {
            await ask(freeModel, data, ctx);
            this.freeDone += 1;
            this.onFree?.();
          },
        },
      },
    ] as unknown as readonly RegisteredStage[];
  }
}

function tokensOf({ tokens }: BillEntry): number {
  return Object.values(tokens).reduce((sum, count) => sum + count, 0);
}
