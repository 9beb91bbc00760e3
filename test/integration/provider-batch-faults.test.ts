import { describe, expect, it } from 'vitest';
import {
  countFiles,
  driverThrough,
  driverWith,
  endsOf,
  findingsOf,
  finish,
  hourMs,
  minuteMs,
  now,
  outcomesOf,
  pass,
  requestsFor,
  runWith,
  useProviderBatches,
} from '../support/provider-batch-fixture.ts';

/*
 * What only OpenAI's batches can do, and what the driver does besides, on PGlite and the simulated provider.
 */

useProviderBatches();

describe('a batch of OpenAI', () => {
  it.each([
    ['output_null', 'failed'],
    ['output_absent', 'failed'],
    ['output_blank', 'failed'],
    ['output_lost', 'missing'],
    ['output_empty', 'missing'],
  ] as const)('that is "completed" with %s has every request %s', async (fault, end) => {
    const run = await runWith('openai', 3, [{ fault }]);
    expect(endsOf(run.outcomes)).toEqual({ [end]: 3 });
    expect(run.billed).toHaveLength(end === 'missing' ? 3 : 0);
  });

  it('that fails late fails every request with the reason, unbilled', async () => {
    const run = await runWith('openai', 3, [{ fault: 'fail_late' }]);
    expect(run.outcomes.map(({ error }) => error?.code)).toEqual([
      'server_error',
      'server_error',
      'server_error',
    ]);
    expect(run.billed).toEqual([]);
  });

  it('has requests with status 0 fail', async () => {
    const run = await runWith('openai', 30, [{ fault: 'status_zero', share: 0.3 }]);
    const failed = run.outcomes.filter(({ outcome }) => outcome === 'failed');
    expect(failed.length).toBeGreaterThan(2);
    expect(new Set(failed.map(({ statusCode }) => statusCode))).toEqual(new Set([0]));
    expect(run.billed).toHaveLength(30 - failed.length);
  });

  it('names the difference between its sum and the lines', async () => {
    const run = await runWith('openai', 3, [{ fault: 'lie_usage' }]);
    expect((await findingsOf(run))?.usage).toMatchObject({
      kind: 'differs',
      difference: { inputTokens: 1000, outputTokens: 0 },
    });
  });

  it.each(['upload_error_after', 'upload_cut_after', 'upload_refused'] as const)(
    'goes on after %s, and leaves no file behind',
    async (fault) => {
      const files = await countFiles();
      const run = await runWith('openai', 3, [{ fault, times: 1 }]);
      expect(endsOf(run.outcomes)).toEqual({ succeeded: 3 });
      expect(await countFiles()).toBe(files);
    },
  );

  it('whose requests the provider refuses has each fail', async () => {
    const driver = driverWith();
    const [first, second] = requestsFor('openai', 2);
    if (first === undefined || second === undefined) throw new Error('There are two.');
    const other = { ...second, endpoint: '/v1/responses' } as const;
    const batches = await driver.submit('openai', [first, other], now());
    await finish(driver);
    expect(endsOf(await outcomesOf(driver, batches.values()))).toEqual({ succeeded: 1, failed: 1 });
  });
});

it('a driver that is told to stop gives back what it has, and another goes on', async () => {
  const stop = new AbortController();
  const driver = driverWith();
  const batches = await driver.submit('openai', requestsFor('openai', 3), now());
  const [id = ''] = batches.values();
  const stopping = driverThrough('openai', (api) => ({
    upload: async (batch) => {
      stop.abort();
      return await api.upload(batch);
    },
  }));
  await stopping.advance(now(), stop.signal);
  expect(await driver.find(id)).toMatchObject({ state: 'uploaded' });
  await finish(driver);
  expect(endsOf(await outcomesOf(driver, [id]))).toEqual({ succeeded: 3 });
});

it('batches that were closed are forgotten with their requests', async () => {
  const { driver, batchIds } = await runWith('openai', 3);
  expect(await driver.forget(new Date(now().getTime() - hourMs), 100)).toBe(0);
  pass(minuteMs);
  expect(await driver.forget(now(), 100)).toBe(1);
  expect(await driver.find(batchIds[0] ?? '')).toBeUndefined();
});
