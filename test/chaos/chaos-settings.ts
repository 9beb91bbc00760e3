import { join } from 'node:path';
import type { Configuration } from '../../src/app/configuration.ts';
import { loadConfiguration } from '../../src/app/load-configuration.ts';
import type { Sabotage } from './sabotage.ts';

export type StoresKind = 'embedded' | 'services';

/** What every process of a run is told. */
export interface ChaosSettings {
  readonly seed: number;
  /** Everything of the run lies here: data, logs, the bill. */
  readonly directory: string;
  readonly simulatorUrl: string;
  /** Absent: the stores are embedded, in the directory. */
  readonly services?: {
    readonly postgresUrl: string;
    readonly redisUrl: string;
    readonly clickHouse: { readonly url: string; readonly user: string; readonly password: string };
  };
  readonly sabotage?: Sabotage;
}

/** A provider that says nothing is given up on after this. */
const providerTimeoutMs = 4000;

/** The configuration of a process: the product's defaults, but for addresses, and for limits low enough to be met. */
export function configurationOf(settings: ChaosSettings, roles: Configuration['roles']): Configuration {
  const { directory, simulatorUrl, services } = settings;
  const apiKey = 'simulated';
  const common = { apiKey, identify: true, timeoutMs: providerTimeoutMs };
  const openai = { ...common, kind: 'openai' as const, baseUrl: `${simulatorUrl}/openai/v1` };
  return loadConfiguration({
    environment: {},
    options: {
      roles: [...roles],
      dataDirectory: join(directory, 'data'),
      ...(services === undefined
        ? {}
        : {
            ledger: { url: services.postgresUrl },
            queue: { url: services.redisUrl },
            columnStore: services.clickHouse,
          }),
      // One worker's clock is two minutes off, on purpose.
      startup: { allow: ['clocks_apart'] },
      // So that some bodies and answers of a run go through the payload store.
      messages: { inlineBytes: 2048 },
      models: {
        inlineAnswerBytes: 1024,
        providers: {
          openai,
          chat: { ...openai, api: 'chat', priceProvider: 'openai' },
          anthropic: { ...common, kind: 'anthropic', baseUrl: `${simulatorUrl}/anthropic/v1` },
        },
      },
      // Small, so that a run has many batches.
      exporter: { batchRows: 200, pauseMs: 300 },
      shutdownGraceMs: 10_000,
    },
  });
}
