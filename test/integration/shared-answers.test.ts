import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sumUsd, usd } from '../../src/kernel/money.ts';
import type { ModedCall } from '../support/moded-call.ts';
import { ProviderModeFixture } from '../support/provider-mode-fixture.ts';

/*
 * Batches that share answers: on PGlite and the simulated providers, through the whole way of a message.
 */

let fixture: ProviderModeFixture;
beforeAll(async () => {
  fixture = await ProviderModeFixture.open();
}, 600_000);
afterAll(async () => {
  await fixture.close();
});

/** The calls cost exactly what the providers billed. */
async function expectBilled(rows: readonly ModedCall[]): Promise<void> {
  const { totalUsd } = await fixture.bill();
  expect(sumUsd(rows.map(({ cost_usd: cost }) => usd(cost ?? '0'))).toFixed()).toBe(usd(totalUsd).toFixed());
}

describe('a batch that shares answers', () => {
  const same = (count: number): 'openai'[] => Array.from({ length: count }, () => 'openai');
  const shared = async (): Promise<readonly string[]> => {
    const { rows } = await fixture.rows<{ step: string }>(
      `select c.step from millrace.batch_shared_answers s join millrace.calls c on c.id = s.call_id
       join millrace.messages m on m.id = s.message_id where m.id <> c.message_id order by c.step, s.message_id`,
    );
    return rows.map(({ step }) => step);
  };
  beforeEach(async () => {
    await fixture.reset();
    await fixture.execute('delete from millrace.batches');
  });

  it.each(['online', 'provider'] as const)(
    'makes one call of identical requests, in the mode %s',
    async (mode) => {
      await fixture.begin(mode, same(6), { share: 'team', customers: ['acme', 'beta'] });
      await fixture.finish();
      expect(await fixture.completed()).toBe(12);
      const all = await fixture.calls();
      expect(all.map(({ step, outcome }) => `${step} ${outcome}`)).toEqual(['draft ok', 'polish ok']);
      expect((await fixture.bill()).requests).toBe(2);
      await expectBilled(all);
      expect(await shared()).toEqual([
        ...Array.from({ length: 5 }, () => 'draft'),
        ...Array.from({ length: 5 }, () => 'polish'),
      ]);
      expect(
        await fixture.count(`select count(*)::int as count from millrace.batch_question_waits`),
        'nobody waits',
      ).toBe(0);
    },
    600_000,
  );

  it('makes one call for each customer where it shares among their items only', async () => {
    await fixture.begin('online', same(6), { share: 'customer', customers: ['acme', 'beta', 'gamma'] });
    await fixture.finish();
    expect(await fixture.completed()).toBe(12);
    expect((await fixture.bill()).requests).toBe(6);
    await expectBilled(await fixture.calls());
  }, 600_000);

  it('makes a call for each item where it does not ask for sharing', async () => {
    await fixture.begin('online', same(3), { text: 'its own' });
    await fixture.finish();
    expect((await fixture.bill()).requests).toBe(6);
    expect(await shared()).toEqual([]);
  }, 600_000);
});
