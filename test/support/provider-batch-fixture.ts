import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import type { OddLines, ResultFindings } from '../../src/capabilities/batches/provider/result-findings.ts';
import { openProviderBatchApi } from '../../src/capabilities/batches/provider/open-provider-batch-api.ts';
import type { ProviderBatchAccount } from '../../src/capabilities/batches/provider/provider-batch-account.ts';
import type { ProviderBatchApi } from '../../src/capabilities/batches/provider/provider-batch-api.ts';
import {
  ProviderBatchDriver,
  type ProviderBatchDriverOptions,
} from '../../src/capabilities/batches/provider/provider-batch-driver.ts';
import type {
  BatchEndpoint,
  ProviderBatchRequest,
  RequestOutcome,
} from '../../src/capabilities/batches/provider/provider-batch-request.ts';
import { openMigratedPglite } from '../../src/drivers/sql-database/migrated-pglite.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import type { BillEntry } from '../../src/simulator/bill.ts';
import type { BatchRuleInput } from '../../src/simulator/batches/batch-config.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { allOf } from './all-of.ts';
import { Died, mortalDatabase, mortalMethods, Mortality } from './mortal.ts';

/*
 * The driver on PGlite and the simulated providers, by one clock that the tests set. A batch of the simulator lasts a minute.
 */

export const minuteMs = 60_000;
export const hourMs = 60 * minuteMs;
let aheadMs = 0;
/** The time of driver and simulator. */
export const now = (): Date => new Date(Date.now() + aheadMs);

/** Lets time pass. */
export function pass(ms: number): void {
  aheadMs += ms;
}

let simulator: Simulator;
let database: SqlDatabase;
const apis = new Map<string, ProviderBatchApi>();
const accounts = new Map<string, ProviderBatchAccount>();
/** Has the tests of a file run on a database and a simulator of their own. */
export function useProviderBatches(): void {
  beforeAll(async () => {
    simulator = await startSimulator({
      seed: 5,
      clock: { ...systemClock, now },
      latency: { medianMs: 0 },
      batches: { durationMs: minuteMs },
    });
    database = await openMigratedPglite();
    const at: readonly ProviderBatchAccount[] = [
      { name: 'openai', kind: 'openai', apiKey: 'key', baseUrl: `${simulator.url}/openai/v1` },
      { name: 'anthropic', kind: 'anthropic', apiKey: 'key', baseUrl: `${simulator.url}/anthropic/v1` },
    ];
    for (const account of at) {
      accounts.set(account.name, account);
      apis.set(account.name, await openProviderBatchApi(account));
    }
  });
  beforeEach(async () => {
    await database.execute(
      'delete from millrace.provider_batches; create table if not exists settled_requests (id text primary key)',
    );
    await database.execute('delete from settled_requests');
    // Past every look of the tests before.
    aheadMs += 3 * hourMs;
  });
  afterEach(() => simulator.setBatchRules([]));
  afterAll(async () => {
    await database.close();
    await simulator.close();
  });
}

/** Outcomes are settled into a table that takes each request once. */
const settle: ProviderBatchDriverOptions['settle'] = async (transaction, _batch, outcomes) => {
  for (const { id } of outcomes) {
    await transaction.query({ name: 'settle', text: 'insert into settled_requests (id) values ($1)' }, [id]);
  }
  return () => undefined;
};

export function driverWith(
  limits: ProviderBatchAccount['limits'] = {},
  mortality = new Mortality(),
): ProviderBatchDriver {
  return new ProviderBatchDriver({
    database: mortalDatabase(database, mortality),
    accounts: [...accounts.values()].map((account) => ({
      account: { ...account, limits },
      api: mortalMethods(apis.get(account.name) as ProviderBatchApi, mortality),
    })),
    settle,
  });
}

/** A process whose configuration names no provider. */
export function driverWithout(): ProviderBatchDriver {
  return new ProviderBatchDriver({ database, settle, accounts: [] });
}

let submitted = 0;
export function requestsFor(
  account: string,
  count: number,
  endpoint?: BatchEndpoint,
): ProviderBatchRequest[] {
  return Array.from({ length: count }, (_, index) => {
    submitted += 1;
    const messages = [{ role: 'user', content: `Item ${index} of ${submitted}` }];
    const body =
      account === 'openai'
        ? { model: 'gpt-5-mini', messages }
        : { model: 'claude-haiku-4-5', max_tokens: 60, messages };
    return {
      id: `request-${submitted}`,
      endpoint: endpoint ?? (account === 'openai' ? '/v1/chat/completions' : '/v1/messages'),
      body: JSON.stringify(body),
      estimatedTokens: 20,
    };
  });
}

/** Advances, with time going on, until nothing is under way. */
export async function finish(driver: ProviderBatchDriver, maxRounds = 300): Promise<void> {
  for (let round = 0; round < maxRounds; round += 1) {
    const nextAt = await driver.advance(now());
    if (nextAt === undefined) return;
    aheadMs += Math.max(1, nextAt.getTime() - now().getTime());
  }
  throw new Error('The batches do not come to an end.');
}

export async function outcomesOf(
  driver: ProviderBatchDriver,
  batchIds: Iterable<string>,
): Promise<RequestOutcome[]> {
  const all = await Promise.all([...new Set(batchIds)].map((id) => allOf(driver.results(id))));
  return all.flat();
}

export async function settledIds(): Promise<string[]> {
  const { rows } = await database.query<{ id: string }>({
    name: 'read-settled',
    text: 'select id from settled_requests',
  });
  return rows.map(({ id }) => id).toSorted();
}

export const sortedIds = (requests: readonly { readonly id: string }[]): string[] =>
  requests.map(({ id }) => id).toSorted();

/** Entries of the bill since a place, by the provider's batch. */
export async function billedSince(since: number): Promise<readonly BillEntry[]> {
  return (await simulator.bill({ since, entries: true })).entries ?? [];
}

export async function countFiles(): Promise<number> {
  const response = await fetch(`${simulator.url}/openai/v1/files`, {
    headers: { authorization: 'Bearer key' },
  });
  return ((await response.json()) as { data: unknown[] }).data.length;
}

interface Run {
  readonly driver: ProviderBatchDriver;
  readonly requests: readonly ProviderBatchRequest[];
  readonly outcomes: readonly RequestOutcome[];
  readonly billed: readonly BillEntry[];
  readonly batchIds: readonly string[];
}

/** Runs requests to their end under faults of the simulator. */
export async function runWith(
  account: string,
  count: number,
  rules: readonly BatchRuleInput[] = [],
  limits: ProviderBatchAccount['limits'] = {},
): Promise<Run> {
  const { next } = await simulator.bill();
  simulator.setBatchRules(rules);
  const driver = driverWith(limits);
  const requests = requestsFor(account, count);
  const batches = await driver.submit(account, requests, now());
  await finish(driver);
  const batchIds = [...new Set(batches.values())];
  return {
    driver,
    requests,
    batchIds,
    outcomes: await outcomesOf(driver, batchIds),
    billed: await billedSince(next),
  };
}

/** Lets a process submit and finish requests until it dies at that moment. Says whether it did. */
export async function diesAt(
  moment: number,
  account: string,
  requests: readonly ProviderBatchRequest[],
): Promise<boolean> {
  const driver = driverWith({}, new Mortality(moment));
  try {
    await driver.submit(account, requests, now());
    await finish(driver);
    return false;
  } catch (error) {
    if (error instanceof Died) return true;
    throw error;
  }
}

export const endsOf = (outcomes: readonly RequestOutcome[]): Record<string, number> =>
  Object.fromEntries(
    [...Map.groupBy(outcomes, ({ outcome }) => outcome)].map(([end, some]) => [end, some.length]),
  );

export async function findingsOf({ driver, batchIds }: Run): Promise<ResultFindings | undefined> {
  return (await driver.find(batchIds[0] ?? ''))?.findings;
}

export const noOddLines: OddLines = { unreadable: 0, foreign: 0, repeated: 0 };

/** What the tests use directly. */
export const stores = {
  database: (): SqlDatabase => database,
  simulator: (): Simulator => simulator,
};

/** The account with another way to its provider. */
export function driverThrough(
  account: string,
  change: (api: ProviderBatchApi) => Partial<ProviderBatchApi>,
): ProviderBatchDriver {
  const api = apis.get(account) as ProviderBatchApi;
  const changed: ProviderBatchApi = {
    hasFiles: api.hasFiles,
    upload: (batch) => api.upload(batch),
    findUploads: (batch) => api.findUploads(batch),
    create: (batch) => api.create(batch),
    find: (batch) => api.find(batch),
    read: (providerId) => api.read(providerId),
    cancel: (providerId) => api.cancel(providerId),
    results: (resultId) => api.results(resultId),
    remove: (id) => api.remove(id),
    ...change(api),
  };
  return new ProviderBatchDriver({
    database,
    settle,
    accounts: [
      {
        account: accounts.get(account) as ProviderBatchAccount,
        api: mortalMethods(changed, new Mortality()),
      },
    ],
  });
}
