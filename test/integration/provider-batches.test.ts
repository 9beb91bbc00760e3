import { describe, expect, it } from 'vitest';
import {
  billedSince,
  countFiles,
  diesAt,
  driverWith,
  endsOf,
  findingsOf,
  finish,
  hourMs,
  minuteMs,
  noOddLines,
  now,
  outcomesOf,
  pass,
  requestsFor,
  runWith,
  settledIds,
  sortedIds,
  stores,
  useProviderBatches,
} from '../support/provider-batch-fixture.ts';
import { depth, isFullDepth } from '../support/test-depth.ts';

/*
 * What holds for the batches of every provider, on PGlite and the simulated providers.
 */

useProviderBatches();

describe.each(['openai', 'anthropic'])('a batch of %s', (account) => {
  it('is sent, collected, settled, and removed from the provider', async () => {
    const files = await countFiles();
    const run = await runWith(account, 12);
    expect(endsOf(run.outcomes)).toEqual({ succeeded: 12 });
    expect(run.outcomes.map(({ id }) => id)).toEqual(run.requests.map(({ id }) => id));
    expect(await settledIds()).toEqual(sortedIds(run.requests));
    expect(run.billed).toHaveLength(12);
    expect(new Set(run.billed.map(({ batch }) => batch?.id)).size).toBe(1);
    expect(await countFiles()).toBe(files);
    expect(await findingsOf(run)).toEqual({
      requests: { succeeded: 12, failed: 0, expired: 0, cancelled: 0, missing: 0 },
      oddLines: noOddLines,
      usage: { kind: account === 'openai' ? 'agrees' : 'not_reported' },
    });
  });

  it('is sent once, and its requests settled once, wherever the process dies', async () => {
    // Each run lives one moment longer (without full depth: three), up to the one that does not die.
    let dieAt = account === 'openai' || isFullDepth ? 0 : 1;
    for (let isDead = true; isDead; dieAt += depth({ usual: 3, full: 1 })) {
      await stores.database().execute('delete from millrace.provider_batches; delete from settled_requests');
      const { next } = await stores.simulator().bill();
      const requests = requestsFor(account, 3);
      isDead = await diesAt(dieAt, account, requests);
      // The lease of the dead runs out.
      await stores.database().execute('update millrace.provider_batches set leased_until = null');
      const second = driverWith();
      const batches = await second.submit(account, requests, now());
      await finish(second);

      const outcomes = await outcomesOf(second, batches.values());
      expect(endsOf(outcomes), `at ${dieAt}`).toEqual({ succeeded: 3 });
      expect(await settledIds(), `at ${dieAt}`).toEqual(sortedIds(requests));
      const billed = await billedSince(next);
      expect(billed, `at ${dieAt}`).toHaveLength(3);
      expect(new Set(billed.map(({ batch }) => batch?.id)).size).toBe(1);
    }
    expect(dieAt).toBeGreaterThan(30);
  });

  it.each(['create_error_after', 'create_cut_after'] as const)(
    'is looked for, and not sent again, when it was accepted without an answer (%s)',
    async (fault) => {
      const run = await runWith(account, 4, [{ fault, times: 1 }]);
      expect(endsOf(run.outcomes)).toEqual({ succeeded: 4 });
      expect(run.billed).toHaveLength(4);
    },
  );

  it('is sent again when the provider, asked after a while, does not have it', async () => {
    const run = await runWith(account, 4, [{ fault: 'create_refused', times: 1 }]);
    expect(endsOf(run.outcomes)).toEqual({ succeeded: 4 });
    expect(run.billed).toHaveLength(4);
  });

  it('that the provider has lost waits for an operator, who gives it up', async () => {
    stores.simulator().setBatchRules([{ fault: 'lose' }]);
    const driver = driverWith();
    const requests = requestsFor(account, 2);
    const batches = await driver.submit(account, requests, now());
    const [id = ''] = batches.values();
    await finish(driver);
    expect(await driver.find(id)).toMatchObject({ state: 'unresolved', unresolved: 'gone' });
    expect(await outcomesOf(driver, [id])).toEqual([]);

    const by = { actor: 'cli:test', reason: 'support says it is lost' };
    expect(await driver.resolve(id, { kind: 'give-up' }, by, now())).toMatchObject({ state: 'ended' });
    expect(await driver.resolve(id, { kind: 'give-up' }, by, now())).toBeUndefined();
    await finish(driver);
    expect(endsOf(await outcomesOf(driver, [id]))).toEqual({ missing: 2 });
    expect(await settledIds()).toEqual(sortedIds(requests));
    const { rows } = await stores.database().query<{ actor: string; reason: string }>(
      {
        name: 'read-audit',
        text: `select actor, reason from millrace.operator_actions where action = 'provider-batches.resolve' and target like '%' || $1`,
      },
      [id],
    );
    expect(rows).toEqual([by]);
  });

  it('that expires keeps what was done, which is billed, and says what was not', async () => {
    const run = await runWith(account, 40, [{ fault: 'slow', delayMs: 48 * hourMs }]);
    const ends = endsOf(run.outcomes);
    expect(ends['succeeded']).toBe(run.billed.length);
    expect(ends['expired']).toBe(40 - run.billed.length);
    expect(ends['expired']).toBeGreaterThan(5);
  });

  it('that is cancelled keeps what was done, which is billed', async () => {
    const { next } = await stores.simulator().bill();
    const driver = driverWith();
    const batches = await driver.submit(account, requestsFor(account, 40), now());
    const [id = ''] = batches.values();
    await driver.advance(now());
    pass(minuteMs / 2);
    expect(await driver.cancel(id, now())).toBe(true);
    await finish(driver);
    const ends = endsOf(await outcomesOf(driver, [id]));
    const billed = await billedSince(next);
    expect(ends['succeeded']).toBe(billed.length);
    expect(ends['cancelled']).toBe(40 - billed.length);
    expect(ends['cancelled']).toBeGreaterThan(5);
    expect(await driver.cancel(id, now())).toBe(false);
  });

  it('that expires says nothing of what its results lack: it may have been carried out, and billed', async () => {
    const files = await countFiles();
    const run = await runWith(account, 60, [
      { fault: 'slow', delayMs: 48 * hourMs },
      { fault: 'lose_lines', share: 0.3 },
    ]);
    const { succeeded = 0, expired = 0, missing = 0 } = endsOf(run.outcomes);
    expect(missing).toBeGreaterThan(5);
    expect(succeeded + expired + missing).toBe(60);
    expect(run.billed.length).toBeGreaterThan(succeeded);
    expect(run.billed.length).toBeLessThanOrEqual(succeeded + missing);
    // What may be asked about stays at the provider.
    if (account === 'openai') expect(await countFiles()).toBeGreaterThan(files);
  });

  it('that is cancelled says nothing of what its results lack', async () => {
    const { next } = await stores.simulator().bill();
    stores.simulator().setBatchRules([{ fault: 'lose_lines', share: 0.3 }]);
    const driver = driverWith();
    const batches = await driver.submit(account, requestsFor(account, 60), now());
    const [id = ''] = batches.values();
    await driver.advance(now());
    pass(minuteMs / 2);
    await driver.cancel(id, now());
    await finish(driver);
    const { succeeded = 0, cancelled = 0, missing = 0 } = endsOf(await outcomesOf(driver, [id]));
    const billed = await billedSince(next);
    expect(missing).toBeGreaterThan(5);
    expect(succeeded + cancelled + missing).toBe(60);
    expect(billed.length).toBeGreaterThan(succeeded);
    expect(billed.length).toBeLessThanOrEqual(succeeded + missing);
  });

  it('that is cancelled before it was sent is not sent', async () => {
    const { next } = await stores.simulator().bill();
    const driver = driverWith();
    const batches = await driver.submit(account, requestsFor(account, 3), now());
    const [id = ''] = batches.values();
    await driver.cancel(id, now());
    await finish(driver);
    expect(endsOf(await outcomesOf(driver, [id]))).toEqual({ cancelled: 3 });
    expect(await billedSince(next)).toEqual([]);
  });

  it('survives errors while it is polled and downloads that break off', async () => {
    const run = await runWith(account, 10, [
      { fault: 'poll_error', times: 3 },
      { fault: 'cut_download', times: 2 },
    ]);
    expect(endsOf(run.outcomes)).toEqual({ succeeded: 10 });
    expect(run.billed).toHaveLength(10);
  });

  it('takes no lost, broken, repeated or foreign line for a result', async () => {
    const run = await runWith(account, 60, [
      { fault: 'lie_counts' },
      { fault: 'lose_lines', share: 0.1 },
      { fault: 'break_lines', share: 0.1 },
      { fault: 'repeat_lines', share: 0.1 },
      { fault: 'fail_items', share: 0.1 },
      { fault: 'foreign_line' },
    ]);
    expect(run.outcomes.map(({ id }) => id)).toEqual(run.requests.map(({ id }) => id));
    const ends = endsOf(run.outcomes);
    expect(ends['missing']).toBeGreaterThan(3);
    expect(ends['failed']).toBeGreaterThan(0);
    const { oddLines } = (await findingsOf(run)) ?? { oddLines: noOddLines };
    expect(oddLines.foreign).toBe(1);
    expect(oddLines.repeated).toBeGreaterThan(0);
    expect(oddLines.unreadable).toBeGreaterThan(0);
  });

  it('is divided by count, and a request is submitted once', async () => {
    const driver = driverWith({ maxRequests: 4 });
    const requests = requestsFor(account, 10);
    const { next } = await stores.simulator().bill();
    const batches = await driver.submit(account, requests, now());
    expect(new Set(batches.values()).size).toBe(3);
    expect(await driver.submit(account, [...requests, ...requests.slice(0, 2)], now())).toEqual(batches);
    const others = requestsFor(account, 6);
    const submissions = [others.slice(0, 4), others.slice(2), others].map((some) =>
      driver.submit(account, some, now()),
    );
    const [, , all] = await Promise.all(submissions);
    expect([...(all?.keys() ?? [])].toSorted()).toEqual(sortedIds(others));
    await finish(driver);
    expect(await driver.submit(account, requests, now())).toEqual(batches);
    expect(await billedSince(next)).toHaveLength(16);
  });

  it('waits while open batches hold the tokens that may be enqueued', async () => {
    const driver = driverWith({ enqueuedTokens: { '*': 60 } });
    const batches = await driver.submit(account, requestsFor(account, 9), now());
    const ids = [...new Set(batches.values())];
    expect(ids).toHaveLength(3);
    await driver.advance(now());
    const states = await Promise.all(ids.map(async (id) => (await driver.find(id))?.state));
    expect(states.filter((state) => state === 'running')).toHaveLength(1);
    await finish(driver);
    expect(endsOf(await outcomesOf(driver, ids))).toEqual({ succeeded: 9 });
  });
});
