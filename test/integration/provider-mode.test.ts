import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { usd } from '../../src/kernel/money.ts';
import { cascadeSums } from '../support/cascade-sums.ts';
import { isFullDepth } from '../support/test-depth.ts';
import { Died, Mortality } from '../support/mortal.ts';
import { draftCheck, lostRuns, type models } from '../support/moded-stages.ts';
import type { ModedCall } from '../support/moded-call.ts';
import { hourMs, minuteMs, ProviderModeFixture } from '../support/provider-mode-fixture.ts';

/*
 * Batches whose calls are made in providers' batches: on PGlite and the simulated providers, through the whole way of a message.
 */

let fixture: ProviderModeFixture;
beforeAll(async () => {
  fixture = await ProviderModeFixture.open({
    budgets: [{ name: 'blue', team: 'blue', window: 'month', limitUsd: '1000' }],
  });
}, 600_000);
afterAll(async () => {
  await fixture.close();
});

const sumOf = (rows: readonly ModedCall[]): string =>
  rows.reduce((sum, { cost_usd: cost }) => sum.plus(usd(cost ?? '0')), usd('0')).toFixed();

/** The calls cost exactly what the providers billed. */
async function expectBilled(rows: readonly ModedCall[]): Promise<void> {
  const { totalUsd } = await fixture.bill();
  expect(usd(sumOf(rows)).equals(usd(totalUsd)), `${sumOf(rows)} is ${totalUsd}`).toBe(true);
}

const batchesSent = async (): Promise<number> => {
  const { entries = [] } = await fixture.bill();
  return new Set(entries.flatMap(({ batch }) => (batch === undefined ? [] : [batch.id]))).size;
};

describe('a cascade in the mode provider', () => {
  it('has the answers of both models put off, each decided about once, whatever its check says later', async () => {
    await fixture.reset();
    // Every other answer is taken, by when it is asked: a second look would decide otherwise.
    let asked = 0;
    draftCheck.accept = () => (asked += 1) % 2 === 0 || 'not sure';
    await fixture.begin('provider', ['cascade', 'cascade', 'cascade', 'cascade']);
    await fixture.finish();
    expect(asked).toBe(4);
    expect(await fixture.completed()).toBe(8);
    const all = await fixture.calls();
    const of = (step: string) => all.filter((call) => call.step === step);
    expect([of('draft 1/2').length, of('draft 2/2').length, of('polish').length]).toEqual([4, 2, 4]);
    expect(new Set(all.map(({ request_kind: kind }) => kind))).toEqual(new Set(['batch']));
    for (const { cascade_verdict: verdict, cascade_usd: last, cost_usd: cost } of of('draft 1/2')) {
      if (verdict === 'escalated') expect(last).toBeNull();
      else expect(usd(last ?? '0').equals(usd(cost ?? '0').times(5))).toBe(true);
    }
    await expectBilled(all);
    const { columns } = fixture.host.stores;
    await expect
      .poll(async () => (await cascadeSums(columns)).map(({ verdict, calls }) => `${verdict} ${calls}`))
      .toEqual(['accepted 2', 'escalated 2']);
    const taken = all.filter(({ cascade_verdict: verdict }) => verdict === 'accepted');
    const [accepted] = await cascadeSums(columns);
    expect(accepted?.costUsd.equals(usd(sumOf(taken)))).toBe(true);
    expect(accepted?.lastModelUsd.equals(usd(sumOf(taken)).times(5))).toBe(true);
  }, 600_000);
});

const accounts: readonly (keyof typeof models)[] = ['openai', 'anthropic'];

describe.each(accounts)('a batch in the mode provider with %s', (account) => {
  it('has every call of both stages in a batch, at the rate of batches, and its cost is the bill', async () => {
    await fixture.reset();
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
    expect((await fixture.bill()).requests).toBe(0);
    await fixture.finish();
    expect(await fixture.completed()).toBe(12);
    const all = await fixture.calls();
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
    const bill = await fixture.bill();
    expect(bill.requests).toBe(12);
    expect(bill.entries?.every(({ batch }) => batch !== undefined)).toBe(true);
    await expectBilled(all);
    expect(await batchesSent()).toBe(2);
  }, 600_000);

  it('sends each call once, wherever its process dies', async () => {
    await fixture.reset();
    // The providers share the moments, unless all of them are wanted.
    let dieAt = isFullDepth ? 0 : 6 * accounts.indexOf(account);
    for (let isDead = true; isDead; dieAt += isFullDepth ? 1 : 12) {
      const before = await fixture.bill();
      const doneBefore = await fixture.completed();
      const sentBefore = await batchesSent();
      await fixture.begin('provider', [account, account, account]);
      await fixture.settleDown();
      await fixture.restart(new Mortality(dieAt));
      isDead = await dies();
      await fixture.restart();
      await fixture.finish();
      const bill = await fixture.bill();
      expect(bill.requests - before.requests, `at ${dieAt}`).toBe(6);
      expect((await fixture.completed()) - doneBefore, `at ${dieAt}`).toBe(6);
      expect((await batchesSent()) - sentBefore, `at ${dieAt}`).toBe(2);
      expect((await fixture.host.calls.totals()).reserved).toBe(0);
    }
    expect(dieAt).toBeGreaterThan(60);
    await expectBilled(await fixture.calls());
  }, 600_000);

  it('makes what expired at once when the deadline is near', async () => {
    await fixture.reset({ rounds: 5 });
    fixture.simulator.setBatchRules([{ fault: 'slow', delayMs: 48 * hourMs }]);
    const deadline = new Date(fixture.now().getTime() + 25 * hourMs);
    await fixture.begin(
      'provider',
      Array.from({ length: 12 }, () => account),
      { deadline },
    );
    await fixture.finish(30 * minuteMs);
    expect(await fixture.completed()).toBe(24);
    const all = await fixture.calls();
    const batched = all.filter(({ request_kind: kind, outcome }) => kind === 'batch' && outcome === 'ok');
    const online = all.filter(({ request_kind: kind }) => kind === 'single');
    const expired = all.filter(({ outcome }) => outcome !== 'ok');
    expect(batched.length).toBeGreaterThan(0);
    expect(online.length).toBeGreaterThan(0);
    expect(batched.length + online.length).toBe(24);
    // Nothing of what did not get its turn is billed.
    for (const call of expired) expect(call).toMatchObject({ settlement: 'free', cost_usd: '0' });
    const bill = await fixture.bill();
    expect(bill.requests).toBe(24);
    await expectBilled(all);
  }, 600_000);

  it('goes on at once when a call was in as many batches as it may', async () => {
    await fixture.reset({ rounds: 2 });
    fixture.simulator.setBatchRules([{ fault: 'fail_items', share: 1 }]);
    await fixture.begin('provider', [account, account]);
    await fixture.finish();
    expect(await fixture.completed()).toBe(4);
    const all = await fixture.calls();
    expect(
      all.filter(({ request_kind: kind, outcome }) => kind === 'batch' && outcome === 'error'),
    ).toHaveLength(8);
    expect(
      all.filter(({ request_kind: kind, outcome }) => kind === 'single' && outcome === 'ok'),
    ).toHaveLength(4);
  }, 600_000);

  it('keeps what is missing as unsettled with its upper bound, and asks again', async () => {
    await fixture.reset();
    fixture.simulator.setBatchRules([{ fault: 'lose_lines', share: 1, times: 1 }]);
    await fixture.begin('provider', [account]);
    await fixture.finish();
    expect(await fixture.completed()).toBe(2);
    const [lost, ...others] = await fixture.calls();
    expect(lost).toMatchObject({ state: 'unsettled', settlement: 'unsettled', cost_usd: null });
    expect(lost?.upper_bound_usd).toMatch(/^0\.0*[1-9]/);
    expect(others.map(({ outcome }) => outcome)).toEqual(['ok', 'ok']);
  }, 600_000);

  it('is taken back when the batch is cancelled: what waits is free, what was sent is asked to end', async () => {
    await fixture.reset();
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
    const retries = await fixture.retries();
    expect(
      await fixture.count(
        `select count(*)::int as count from millrace.deferred_calls where state = 'waiting'`,
      ),
    ).toBeLessThanOrEqual(2);
    expect(await fixture.countCancelled()).toBe(1);
    // The runner of batches cancels the messages of a batch that is cancelled; here they are let go on.
    await fixture.execute(`delete from millrace.batches`);
    await fixture.execute(
      `update millrace.messages set available_at = clock_timestamp() where state = 'pending' and parked_for is null`,
    );
    await fixture.finish();
    const all = await fixture.calls();
    // What is made at once for the first time is no retry, of which there may be a few in a minute only.
    expect(await fixture.retries()).toBe(retries);
    expect(all.filter(({ error_type: type }) => type === 'aborted').length).toBeGreaterThan(2);
    expect((await fixture.host.calls.totals()).reserved).toBe(0);
    await expectBilled(all);
  }, 600_000);
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
  await fixture.reset();
  const window = async () => {
    const { rows } = await fixture.rows<{ reserved: string; spent: string }>(
      `select reserved::text, spent::text from millrace.quota_windows where quota = 'blue'`,
    );
    return { reserved: usd(rows[0]?.reserved ?? '0'), spent: usd(rows[0]?.spent ?? '0') };
  };
  const before = await window();
  await fixture.begin('provider', ['openai', 'anthropic']);
  await fixture.settleDown();
  const bounds = (await fixture.calls()).map(({ upper_bound_usd: bound }) => usd(bound ?? '0'));
  const sum = bounds.reduce((all, bound) => all.plus(bound), usd('0'));
  const { reserved } = await window();
  expect(reserved.equals(sum), `${reserved.toFixed()} is ${sum.toFixed()}`).toBe(true);
  expect(reserved.greaterThan(usd('0'))).toBe(true);
  await fixture.finish();
  const after = await window();
  expect(after.reserved.isZero()).toBe(true);
  expect(after.spent.minus(before.spent).equals(usd((await fixture.bill()).totalUsd))).toBe(true);
}, 600_000);

it('puts a question into one batch, though a run is lost between its reservation and its wait', async () => {
  await fixture.reset();
  lostRuns.add('item 0 of lost').add('item 1 of lost');
  await fixture.begin('provider', ['openai', 'anthropic'], { text: 'lost' });
  await fixture.finish();
  expect(lostRuns.size).toBe(0);
  expect(await fixture.completed()).toBe(4);
  const all = await fixture.calls();
  expect(all.map(({ request_kind: kind, outcome }) => `${kind} ${outcome}`)).toEqual(
    Array.from({ length: 4 }, () => 'batch ok'),
  );
  expect((await fixture.bill()).requests).toBe(4);
}, 600_000);

it('makes the calls of items that name another team as their own batch says', async () => {
  await fixture.reset();
  const name = await fixture.begin('provider', ['openai', 'anthropic'], { itemTeam: 'green' });
  // Green's batch of this name is another one, and nothing of it is sent.
  await fixture.writeBatch('green', name, { mode: 'online' });
  await fixture.execute(`update millrace.batches set state = 'paused' where team = 'green'`);
  await fixture.finish(minuteMs, 20);
  expect(await fixture.completed()).toBe(4);
  const all = await fixture.calls();
  expect(all.map(({ request_kind: kind, outcome }) => `${kind} ${outcome}`)).toEqual(
    Array.from({ length: 4 }, () => 'batch ok'),
  );
  expect(
    await fixture.count(
      `select count(distinct b.team)::int as count from millrace.provider_batch_owners o join millrace.batches b on b.id = o.batch_id
       where b.name = $1 and b.team = 'blue'`,
      [name],
    ),
  ).toBe(1);
  await expectBilled(all);
}, 600_000);

it.each(['paused', 'halted'] as const)(
  'runs what was begun to its end in a batch that is %s',
  async (state) => {
    await fixture.reset();
    const name = await fixture.begin('provider', ['openai', 'openai']);
    await fixture.settleDown();
    await fixture.execute(`update millrace.batches set state = '${state}' where name = '${name}'`);
    await fixture.finish(minuteMs, 20);
    expect(await fixture.completed()).toBe(4);
    const all = await fixture.calls();
    expect(all.map(({ request_kind: kind, outcome }) => `${kind} ${outcome}`)).toEqual(
      Array.from({ length: 4 }, () => 'batch ok'),
    );
  },
  600_000,
);

it.each(['cancelled', 'past its deadline'] as const)(
  'makes no call at once for a batch that is being %s: what waits is taken back, and is free',
  async (how) => {
    await fixture.reset({ rounds: 1 });
    const deadline = new Date(fixture.now().getTime() + 2 * hourMs);
    const name = await fixture.begin('provider', ['openai', 'anthropic'], { deadline });
    await fixture.settleDown();
    if (how === 'cancelled')
      await fixture.execute(`update millrace.batches set state = 'cancelling' where name = '${name}'`);
    else fixture.pass(3 * hourMs);
    await fixture.turn();
    await expect
      .poll(
        () =>
          fixture.count(
            `select count(*)::int as count from millrace.messages where state = 'pending' and available_at > clock_timestamp() and waits_for like 'provider_batch%' and parked_for is null`,
          ),
        { timeout: 240_000, interval: 50 },
      )
      .toBe(2);
    await fixture.cancelMessages();
    await fixture.turn();
    expect(await fixture.calls()).toMatchObject([
      { request_kind: 'batch', settlement: 'free', error_type: 'aborted' },
      { request_kind: 'batch', settlement: 'free', error_type: 'aborted' },
    ]);
    expect((await fixture.bill()).requests).toBe(0);
    expect((await fixture.host.calls.totals()).reserved).toBe(0);
  },
  600_000,
);

it('sends nothing of messages that have ended while their calls wait', async () => {
  await fixture.reset();
  await fixture.begin('provider', ['openai', 'openai']);
  await fixture.settleDown();
  await fixture.cancelMessages();
  await fixture.finish(minuteMs, 20);
  expect((await fixture.bill()).requests).toBe(0);
  expect((await fixture.host.calls.totals()).reserved).toBe(0);
}, 600_000);

it('asks again for what a provider refused only when an operator has it run again, and then in a batch', async () => {
  await fixture.reset();
  fixture.simulator.setRules([{ match: { contains: 'item 0 of sore' }, fault: 'content_policy' }]);
  await fixture.begin('provider', ['openai', 'openai'], { text: 'sore' });
  await fixture.finish();
  expect(await fixture.ends()).toEqual([
    'completed',
    'completed',
    'dead_lettered MILLRACE_MODEL_CONTENT_POLICY',
  ]);
  expect((await fixture.calls()).map(({ request_kind: kind }) => kind)).toEqual(['batch', 'batch', 'batch']);
  fixture.simulator.setRules([]);
  expect(await fixture.replayAll()).toBe(1);
  await fixture.finish();
  expect(await fixture.completed()).toBe(4);
  const all = await fixture.calls();
  expect(all.map(({ request_kind: kind }) => kind)).toEqual(Array.from({ length: 5 }, () => 'batch'));
  await expectBilled(all);
}, 600_000);

it('makes no call of another batch, or of none, wait', async () => {
  await fixture.reset();
  await fixture.begin('online', ['openai']);
  await fixture.settleDown();
  expect(await fixture.completed()).toBe(2);
  expect((await fixture.calls()).map(({ request_kind: kind }) => kind)).toEqual(['single', 'single']);
}, 600_000);

it('asks for the tier flex where the provider has it, and is priced as the answer says', async () => {
  await fixture.reset();
  await fixture.begin('flex', ['openai', 'anthropic']);
  await fixture.settleDown();
  expect(await fixture.completed()).toBe(4);
  const tiers = (await fixture.calls()).map(({ provider, tier }) => `${provider} ${tier}`);
  expect(tiers.toSorted()).toEqual(['anthropic default', 'anthropic default', 'openai flex', 'openai flex']);
  await expectBilled(await fixture.calls());
  expect((await fixture.choices()).map(({ mode }) => mode)).toEqual(['online', 'flex']);
}, 600_000);

it('chooses by the deadline in the mode auto', async () => {
  await fixture.reset();
  await fixture.begin('auto', ['openai', 'anthropic']);
  await fixture.begin('auto', ['openai', 'anthropic'], {
    deadline: new Date(fixture.now().getTime() + 2 * hourMs),
  });
  await fixture.settleDown();
  expect((await fixture.choices()).map(({ mode }) => mode)).toEqual([
    'provider',
    'provider',
    'online',
    'flex',
  ]);
  await fixture.finish();
  expect(await fixture.completed()).toBe(8);
}, 600_000);
