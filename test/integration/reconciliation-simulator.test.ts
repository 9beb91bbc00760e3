import { embed, generateText } from 'ai';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { MeteredModels } from '../../src/engine/calls/metered-models.ts';
import type { BillForm } from '../../src/simulator/provider-bills.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { outboxLines } from '../support/ledger-fixture.ts';
import { type ModelsHarness, openMeteredModels } from '../support/models-harness.ts';
import { openReconciliation, reconciliationOver, type ReconciliationStores } from './reconciled-calls.ts';

/* Real calls to the simulator, by its own account: what it exports over HTTP is what the records say, but for what broke off. */

let models: ModelsHarness;
let stores: ReconciliationStores;
let simulator: Simulator;
let metered: MeteredModels;

beforeAll(async () => {
  models = await openMeteredModels();
  stores = await openReconciliation();
  simulator = await startSimulator({ seed: 5, latency: { medianMs: 0 } });
  const reached = { apiKey: 'key', timeoutMs: 60_000 };
  metered = models.metered({
    openai: { kind: 'openai', baseUrl: `${simulator.url}/openai/v1`, ...reached },
    anthropic: { kind: 'anthropic', baseUrl: `${simulator.url}/anthropic/v1`, ...reached },
  });
});
afterAll(async () => {
  await simulator.close();
  await stores.close();
  await models.close();
});

const exported = async (form: BillForm): Promise<{ name: string; text: string }> => {
  const response = await fetch(`${simulator.url}/_simulator/bill/${form}`);
  expect(response.status).toBe(200);
  return { name: form, text: await response.text() };
};

it('counts a request that several messages shared once, with the cost of all its parts', async () => {
  const texts = ['The tide rises twice a day.', 'Ebb', 'Rivers, roads and roofs. '.repeat(7)];
  await Promise.all(
    texts.map(async (value) => {
      const scope = models.openScope(metered, await models.leasedMessage());
      const model = scope.embeddingModel('openai/text-embedding-3-small', {
        microBatch: { maxInputs: texts.length, windowMs: 1000 },
      });
      await embed({ model, value });
      await scope.close();
    }),
  );
  await stores.insertLines(await outboxLines(models.database, 'usage'));
  await models.database.execute('truncate millrace.outbox');
  const { service } = reconciliationOver(models.database, stores.store);
  const files = [await exported('openai-usage'), await exported('openai-costs')];
  const request = { provider: 'openai', files, accounts: [], keys: [], settle: false } as const;
  const { days, differences } = await service.reconcile(request, { actor: 'cli:test' });
  expect((await simulator.bill()).requests).toBe(1);
  expect(await models.callRows()).toHaveLength(3);
  expect(days.map(({ state }) => state)).toEqual(['reconciled']);
  expect(differences).toEqual([]);
});

it('is reconciled to the last decimal, and a call that was billed without an answer is found and settled', async () => {
  const scope = models.openScope(metered, await models.leasedMessage());
  const references = ['openai/gpt-5-mini', 'openai/gpt-4o-mini', 'anthropic/claude-haiku-4-5'];
  for (const reference of references) {
    for (const subject of ['roads', 'rivers', 'roofs']) {
      await generateText({
        model: scope.languageModel(reference),
        prompt: `Write about ${subject}. ${'Much can be said of it. '.repeat(200)}`,
        maxOutputTokens: 2_000,
      });
    }
  }
  simulator.setRules([{ fault: 'gateway_timeout' }]);
  await expect(
    generateText({
      model: scope.languageModel('openai/gpt-5-mini'),
      prompt: 'Write about doors.',
      maxOutputTokens: 500,
      maxRetries: 0,
    }),
  ).rejects.toThrow();
  await scope.close();
  await stores.insertLines(await outboxLines(models.database, 'usage'));
  const { service } = reconciliationOver(models.database, stores.store);
  const files = [await exported('openai-usage'), await exported('openai-costs')];
  const request = { files, accounts: [], keys: [], settle: true } as const;
  const openai = await service.reconcile({ ...request, provider: 'openai' }, { actor: 'cli:test' });
  expect([...new Set(openai.differences.map(({ cause }) => cause))]).toEqual(['unsettled']);
  expect(openai.proven.map(({ isSettled }) => isSettled)).toEqual([true]);
  const anthropic = await service.reconcile(
    {
      ...request,
      provider: 'anthropic',
      files: [await exported('anthropic-usage'), await exported('anthropic-costs')],
    },
    { actor: 'cli:test' },
  );
  expect(anthropic.days.map(({ state }) => state)).toEqual(['reconciled']);
  expect(anthropic.differences).toEqual([]);
  expect((await models.callRows()).filter(({ state }) => state !== 'settled')).toEqual([]);
  const { totalUsd } = await simulator.bill();
  const { settledUsd } = await models.calls.totals();
  expect(settledUsd.toFixed()).toBe(totalUsd);
});
