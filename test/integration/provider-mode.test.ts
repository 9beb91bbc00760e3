import { afterEach, describe, expect, it } from 'vitest';
import { usd } from '../../src/kernel/money.ts';
import { Died, Mortality } from '../support/mortal.ts';
import { hourMs, minuteMs, type models, ProviderModeFixture } from '../support/provider-mode-fixture.ts';

/*
 * Batches whose calls are made in providers' batches: on PGlite and the simulated providers, through the whole way of a message.
 */

let fixture: ProviderModeFixture;
afterEach(async () => {
  await fixture.close();
});

const openFixture = async (...options: Parameters<typeof ProviderModeFixture.open>) => {
  fixture = await ProviderModeFixture.open(...options);
  return fixture;
};

interface CallRow {
  readonly step: string;
  readonly state: string;
  readonly settlement: string;
  readonly outcome: string;
  readonly request_kind: string;
  readonly cost_usd: string | null;
  readonly upper_bound_usd: string | null;
  readonly error_type: string | null;
  readonly attempts: number;
  readonly price_reference: string | null;
}

async function calls(): Promise<readonly CallRow[]> {
  const { rows } =
    await fixture.rows<CallRow>(`select c.step, c.state, c.settlement, c.outcome, c.request_kind, c.cost_usd::text,
    c.upper_bound_usd::text, c.error_type, m.attempts, c.price_reference
    from millrace.calls c join millrace.messages m on m.id = c.message_id order by c.reserved_at, c.id`);
  return rows;
}

const sumOf = (rows: readonly CallRow[]): string =>
  rows.reduce((sum, { cost_usd: cost }) => sum.plus(usd(cost ?? '0')), usd('0')).toFixed();

const completed = (): Promise<number> =>
  fixture.count(
    `select count(*)::int as count from millrace.messages where state = 'completed' and stage <> ''`,
  );

const batchesSent = async (): Promise<number> => {
  const { entries = [] } = await fixture.simulator.bill({ entries: true });
  return new Set(entries.flatMap(({ batch }) => (batch === undefined ? [] : [batch.id]))).size;
};

const accounts: readonly (keyof typeof models)[] = ['openai', 'anthropic'];

describe.each(accounts)('a batch in the mode provider with %s', (account) => {
  it('has every call of both stages in a batch, at the rate of batches, and its cost is the bill', async () => {
    await openFixture();
    await fixture.begin(
      'provider',
      Array.from({ length: 6 }, () => account),
    );
    await fixture.settleDown();
    // All wait, with their calls reserved and no lease.
    expect(
      await fixture.count(
        `select count(*)::int as count from millrace.messages where parked_for like 'provider_batch:%'`,
      ),
    ).toBe(6);
    expect((await fixture.host.calls.totals()).reserved).toBe(6);
    expect((await fixture.simulator.bill()).requests).toBe(0);
    await fixture.finish();
    expect(await completed()).toBe(12);
    const all = await calls();
    expect(all).toHaveLength(12);
    for (const call of all) {
      expect(call).toMatchObject({
        state: 'settled',
        settlement: 'reported',
        outcome: 'ok',
        request_kind: 'batch',
        attempts: 0,
      });
      expect(call.price_reference).toContain('+batch');
    }
    const bill = await fixture.simulator.bill({ entries: true });
    expect(bill.requests).toBe(12);
    expect(bill.entries?.every(({ batch }) => batch !== undefined)).toBe(true);
    expect(usd(sumOf(all)).equals(usd(bill.totalUsd))).toBe(true);
    expect(await batchesSent()).toBe(2);
  }, 60_000);

  it('sends each call once, wherever its process dies', async () => {
    await openFixture();
    let dieAt = 0;
    for (let isDead = true; isDead; dieAt += 3) {
      const before = await fixture.simulator.bill();
      const doneBefore = await completed();
      const sentBefore = await batchesSent();
      await fixture.begin('provider', [account, account, account]);
      await fixture.settleDown();
      await fixture.restart(new Mortality(dieAt));
      isDead = await dies();
      await fixture.restart();
      await fixture.finish();
      const bill = await fixture.simulator.bill();
      expect(bill.requests - before.requests, `at ${dieAt}`).toBe(6);
      expect((await completed()) - doneBefore, `at ${dieAt}`).toBe(6);
      expect((await batchesSent()) - sentBefore, `at ${dieAt}`).toBe(2);
      expect((await fixture.host.calls.totals()).reserved).toBe(0);
    }
    expect(dieAt).toBeGreaterThan(60);
    expect(usd(sumOf(await calls())).equals(usd((await fixture.simulator.bill()).totalUsd))).toBe(true);
  }, 600_000);

  it('makes what expired at once when the deadline is near', async () => {
    await openFixture({ settings: { rounds: 5 } });
    fixture.simulator.setBatchRules([{ fault: 'slow', delayMs: 48 * hourMs }]);
    const deadline = new Date(fixture.now().getTime() + 25 * hourMs);
    await fixture.begin(
      'provider',
      Array.from({ length: 12 }, () => account),
      deadline,
    );
    await fixture.finish(30 * minuteMs);
    expect(await completed()).toBe(24);
    const all = await calls();
    const batched = all.filter(({ request_kind: kind, outcome }) => kind === 'batch' && outcome === 'ok');
    const online = all.filter(({ request_kind: kind }) => kind === 'single');
    const expired = all.filter(({ outcome }) => outcome !== 'ok');
    expect(batched.length).toBeGreaterThan(0);
    expect(online.length).toBeGreaterThan(0);
    expect(batched.length + online.length).toBe(24);
    // Nothing of what did not get its turn is billed.
    for (const call of expired) expect(call).toMatchObject({ settlement: 'free', cost_usd: '0' });
    const bill = await fixture.simulator.bill();
    expect(bill.requests).toBe(24);
    expect(usd(sumOf(all)).equals(usd(bill.totalUsd))).toBe(true);
  }, 120_000);

  it('goes on at once when a call was in as many batches as it may', async () => {
    await openFixture({ settings: { rounds: 2 } });
    fixture.simulator.setBatchRules([{ fault: 'fail_items', share: 1 }]);
    await fixture.begin('provider', [account, account]);
    await fixture.finish();
    expect(await completed()).toBe(4);
    const all = await calls();
    expect(
      all.filter(({ request_kind: kind, outcome }) => kind === 'batch' && outcome === 'error'),
    ).toHaveLength(8);
    expect(
      all.filter(({ request_kind: kind, outcome }) => kind === 'single' && outcome === 'ok'),
    ).toHaveLength(4);
  }, 60_000);

  it('keeps what is missing as unsettled with its upper bound, and asks again', async () => {
    await openFixture();
    fixture.simulator.setBatchRules([{ fault: 'lose_lines', share: 1, times: 1 }]);
    await fixture.begin('provider', [account]);
    await fixture.finish();
    expect(await completed()).toBe(2);
    const [lost, ...others] = await calls();
    expect(lost).toMatchObject({ state: 'unsettled', settlement: 'unsettled', cost_usd: null });
    expect(lost?.upper_bound_usd).toMatch(/^0\.0*[1-9]/);
    expect(others.map(({ outcome }) => outcome)).toEqual(['ok', 'ok']);
  }, 60_000);

  it('is taken back when the batch is cancelled: what waits is free, what was sent is asked to end', async () => {
    await openFixture();
    fixture.simulator.setBatchRules([{ fault: 'slow', delayMs: hourMs }]);
    await fixture.begin(
      'provider',
      Array.from({ length: 20 }, () => account),
    );
    await fixture.settleDown();
    await fixture.turn();
    await fixture.begin('provider', [account, account]);
    await fixture.settleDown();
    await fixture.execute(`update millrace.batches set state = 'cancelling'`);
    await fixture.turn();
    expect(
      await fixture.count(
        `select count(*)::int as count from millrace.deferred_calls where state = 'waiting'`,
      ),
    ).toBeLessThanOrEqual(2);
    expect(
      await fixture.count(
        `select count(*)::int as count from millrace.provider_batches where cancel_requested_at is not null`,
      ),
    ).toBe(1);
    // The runner of batches cancels the messages of a batch that is cancelled; here they are let go on.
    await fixture.execute(`delete from millrace.batches`);
    await fixture.finish();
    const all = await calls();
    expect(all.filter(({ error_type: type }) => type === 'aborted').length).toBeGreaterThan(2);
    expect((await fixture.host.calls.totals()).reserved).toBe(0);
    expect(usd(sumOf(all)).equals(usd((await fixture.simulator.bill()).totalUsd))).toBe(true);
  }, 60_000);
});

/** Lets the mode work until it dies; false: it came to its end. */
async function dies(): Promise<boolean> {
  try {
    await fixture.finish();
    return false;
  } catch (error) {
    if (error instanceof Died) return true;
    throw error;
  }
}

it('reserves what a call costs at most in a batch, and keeps nothing reserved at the end', async () => {
  await openFixture({
    configuration: { budgets: [{ name: 'blue', team: 'blue', window: 'month', limitUsd: '10' }] },
  });
  await fixture.begin('provider', ['openai', 'anthropic']);
  await fixture.begin('online', []);
  await fixture.settleDown();
  const windows = async () => {
    const { rows } = await fixture.rows<{ reserved: string; spent: string }>(
      `select reserved::text, spent::text from millrace.quota_windows where quota = 'blue'`,
    );
    return rows[0];
  };
  const bounds = await calls();
  const reserved = usd((await windows())?.reserved ?? '0');
  const sum = bounds.reduce((all, { upper_bound_usd: bound }) => all.plus(usd(bound ?? '0')), usd('0'));
  expect(reserved.equals(sum)).toBe(true);
  expect(reserved.greaterThan(usd('0'))).toBe(true);
  await fixture.finish();
  const after = await windows();
  expect(usd(after?.reserved ?? '1').isZero()).toBe(true);
  expect(usd(after?.spent ?? '0').equals(usd((await fixture.simulator.bill()).totalUsd))).toBe(true);
}, 60_000);

it('makes no call of another batch, or of none, wait', async () => {
  await openFixture();
  await fixture.begin('online', ['openai']);
  await fixture.settleDown();
  expect(await completed()).toBe(2);
  expect((await calls()).map(({ request_kind: kind }) => kind)).toEqual(['single', 'single']);
}, 60_000);

it('asks for the tier flex where the provider has it, and is priced as the answer says', async () => {
  await openFixture();
  await fixture.begin('flex', ['openai', 'anthropic']);
  await fixture.settleDown();
  expect(await completed()).toBe(4);
  const { rows } = await fixture.rows<{ provider: string; tier: string }>(
    'select provider, tier from millrace.calls order by provider, id',
  );
  expect(rows).toEqual([
    { provider: 'anthropic', tier: 'default' },
    { provider: 'anthropic', tier: 'default' },
    { provider: 'openai', tier: 'flex' },
    { provider: 'openai', tier: 'flex' },
  ]);
  expect(usd(sumOf(await calls())).equals(usd((await fixture.simulator.bill()).totalUsd))).toBe(true);
  const choices = await fixture.rows<{ mode: string }>(
    'select mode from millrace.batch_mode_choices order by model',
  );
  expect(choices.rows.map(({ mode }) => mode)).toEqual(['online', 'flex']);
}, 60_000);

it('chooses by the deadline in the mode auto', async () => {
  await openFixture();
  await fixture.begin('auto', ['openai', 'anthropic']);
  await fixture.begin('auto', ['openai', 'anthropic'], new Date(fixture.now().getTime() + 2 * hourMs));
  await fixture.settleDown();
  const { rows } = await fixture.rows<{ model: string; mode: string; reason: string }>(
    `select c.model, c.mode, c.reason from millrace.batch_mode_choices c join millrace.batches b on b.id = c.batch_id order by b.name, c.model`,
  );
  expect(rows.map(({ mode }) => mode)).toEqual(['provider', 'provider', 'online', 'flex']);
  await fixture.finish();
  expect(await completed()).toBe(8);
}, 60_000);
