import { join } from 'node:path';
import type { Configuration } from '../../src/host/configuration.ts';
import { loadConfiguration } from '../../src/host/load-configuration.ts';
import type { Sabotage } from './sabotage.ts';
import { scarceCustomer } from './workload.ts';

export type StoresKind = 'embedded' | 'services';

/** What every process of a run is told. */
export interface ChaosSettings {
  readonly seed: number;
  /** How many messages are admitted in all: limits grow with them. */
  readonly messages: number;
  /** Everything of the run lies here: data, logs, the bill. */
  readonly directory: string;
  readonly simulatorUrl: string;
  /** Absent: the stores are embedded, in the directory. */
  readonly services?: {
    readonly postgresUrl: string;
    readonly queueUrl: string;
    readonly clickHouse: { readonly url: string; readonly user: string; readonly password: string };
  };
  readonly sabotages?: readonly Sabotage[];
}

/** A provider that says nothing is given up on after this. */
const providerTimeoutMs = 4000;

/** A provider whose answers may be long in coming. */
const patientTimeoutMs = 40_000;

/** What a run may use of everything that is limited. */
export interface RunLimits {
  /** By "provider/model". */
  readonly models: Readonly<
    Record<string, { readonly requestsPerMinute?: number; readonly tokensPerMinute?: number }>
  >;
  readonly retries: { readonly floor: number; readonly share: number };
  /** Of the customer whose money is scarce, until it is raised. */
  readonly scarceUsd: string;
}

/** Low enough to be met for a while, and growing with the work, so that a run ends. */
export function limitsOf(messages: number): RunLimits {
  return {
    models: {
      'openai/gpt-5-nano': { requestsPerMinute: Math.max(60, Math.round(messages * 0.35)) },
      'openai/gpt-4.1-mini': { tokensPerMinute: Math.max(20_000, messages * 100) },
    },
    retries: { floor: 60 + Math.round(messages / 5), share: 0.2 },
    scarceUsd: Math.max(0.006, messages * 0.000_016).toFixed(6),
  };
}

/** The budget that is raised in mid-run, and what it is raised to. */
export const scarceBudget = 'scarce';
export const raisedUsd = '1000';
/** Stands when the budget was raised: whatever starts after that starts with the new limit. */
export const raisedMark = 'budget-raised';

/** The configuration of a process: the product's defaults, but for addresses, and for limits low enough to be met. */
export function configurationOf(settings: ChaosSettings, roles: Configuration['roles']): Configuration {
  const { directory, simulatorUrl, services, messages } = settings;
  const { models, retries, scarceUsd } = limitsOf(messages);
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
            queue: { url: services.queueUrl },
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
          anthropic: {
            ...common,
            kind: 'anthropic',
            baseUrl: `${simulatorUrl}/anthropic/v1`,
            timeoutMs: patientTimeoutMs,
          },
        },
        fallbacks: { 'openai/gpt-5-mini': 'anthropic/claude-haiku-4-5' },
      },
      limits: {
        models,
        retryBudget: retries,
        circuit: { minRequests: 10, windowMs: 10_000, openMs: 1000, maxOpenMs: 4000 },
      },
      budgets: [
        { name: 'support', team: 'support', window: 'month', limitUsd: '1000' },
        { name: scarceBudget, customer: scarceCustomer, window: 'month', limitUsd: scarceUsd },
      ],
      // So that calls wait in providers' batches for seconds, not for hours.
      batches: { provider: { gatherMs: 300, pollMs: 1000 } },
      // Small, so that a run has many batches.
      exporter: { batchRows: 200, intervalMs: 300 },
      shutdownGraceMs: 10_000,
    },
  });
}
