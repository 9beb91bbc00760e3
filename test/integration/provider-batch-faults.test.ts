import { describe, expect, it } from 'vitest';
import {
  countFiles,
  driverThrough,
  driverWith,
  driverWithout,
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
      'batch:server_error',
      'batch:server_error',
      'batch:server_error',
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

describe('a batch whose provider is not configured any more', () => {
  const providers = ['openai', 'anthropic'] as const;

  it.each(providers)('of %s says so, and goes on when it is again, wherever it was', async (account) => {
    // One that the provider has, and one that was never sent.
    const driver = driverWith();
    const sent = await driver.submit(account, requestsFor(account, 2), now());
    await driver.advance(now());
    const unsent = await driverWithout().submit(account, requestsFor(account, 2), now());
    const ids = [...new Set([...sent.values(), ...unsent.values()])];
    expect(ids).toHaveLength(2);
    for (let look = 0; look < 3; look += 1) {
      pass(hourMs);
      await driverWithout().advance(now());
    }
    const states = await Promise.all(ids.map(async (id) => await driver.find(id)));
    expect(states).toMatchObject([{ state: 'running' }, { state: 'planned' }]);
    for (const state of states) {
      expect(state?.hinderedSince).toBeInstanceOf(Date);
      expect(state?.lastError).toContain(`The provider ${account} is not configured`);
    }
    pass(minuteMs);
    await driver.advance(now());
    expect((await driver.find(ids[1] ?? ''))?.hinderedSince).toBeUndefined();
    await finish(driver);
    expect(endsOf(await outcomesOf(driver, ids))).toEqual({ succeeded: 4 });
  });

  it('ends when it is cancelled and was never sent, and is given up when an operator says so', async () => {
    const driver = driverWith();
    const [running = ''] = (await driver.submit('openai', requestsFor('openai', 2), now())).values();
    await driver.advance(now());
    const by = { actor: 'ann', reason: 'the account is closed' };
    expect(await driver.resolve(running, { kind: 'give-up' }, by, now())).toBeUndefined();
    const [planned = ''] = (await driverWithout().submit('openai', requestsFor('openai', 2), now())).values();
    await driver.cancel(planned, now());
    pass(hourMs);
    await driverWithout().advance(now());
    expect(await driver.find(planned)).toMatchObject({ state: 'closed' });
    expect(endsOf(await outcomesOf(driver, [planned]))).toEqual({ cancelled: 2 });
    expect(await driver.resolve(running, { kind: 'take-over', providerId: 'batch_1' }, by, now())).toBe(
      undefined,
    );
    expect(await driver.resolve(running, { kind: 'give-up' }, by, now())).toMatchObject({ state: 'ended' });
    await finish(driverWithout());
    expect(endsOf(await outcomesOf(driver, [running]))).toEqual({ missing: 2 });
    expect(await driver.find(running)).toMatchObject({ state: 'closed' });
  });
});

it('a batch whose files cannot be removed any more is closed when it is given up, with what it has', async () => {
  const driver = driverThrough('openai', () => ({
    findUploads: () => Promise.reject(Object.assign(new Error('no such key'), { status: 401 })),
  }));
  const [id = ''] = (await driver.submit('openai', requestsFor('openai', 2), now())).values();
  for (let look = 0; look < 5; look += 1) {
    await driver.advance(now());
    pass(hourMs);
  }
  expect(await driver.find(id)).toMatchObject({ state: 'settled', lastError: 'http_401: no such key' });
  await driver.resolve(id, { kind: 'give-up' }, { actor: 'ann', reason: 'the account is closed' }, now());
  await finish(driverWithout());
  expect(await driver.find(id)).toMatchObject({ state: 'closed' });
  expect(endsOf(await outcomesOf(driver, [id]))).toEqual({ succeeded: 2 });
});

it('results that lack requests are read as often as ever after looks that failed', async () => {
  let looks = 0;
  const driver = driverThrough('openai', (api) => ({
    results: (id) => {
      looks += 1;
      // The key is gone for three looks; then the provider has not got everything together for one.
      if (looks <= 3) throw Object.assign(new Error('no such key'), { status: 401 });
      return looks === 4 ? nothing() : api.results(id);
    },
  }));
  const batches = await driver.submit('openai', requestsFor('openai', 2), now());
  await finish(driver);
  expect(endsOf(await outcomesOf(driver, batches.values()))).toEqual({ succeeded: 2 });
});

async function* nothing(): AsyncGenerator<never> {
  // There is none.
}

it('batches that were closed are forgotten with their requests', async () => {
  const { driver, batchIds } = await runWith('openai', 3);
  expect(await driver.forget(new Date(now().getTime() - hourMs), 100)).toBe(0);
  pass(minuteMs);
  expect(await driver.forget(now(), 100)).toBe(1);
  expect(await driver.find(batchIds[0] ?? '')).toBeUndefined();
});
