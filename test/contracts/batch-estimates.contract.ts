import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { BatchEstimate } from '../../src/capabilities/batches/intake/estimate-document.ts';
import { BudgetLedger } from '../../src/capabilities/budgets/budget-ledger.ts';
import { definitionOf } from '../../src/capabilities/budgets/definition-of-setting.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { batchRequest, intakeOver, lines, tickets } from '../support/batch-intake-fixture.ts';
import { DeadLetterFixture } from '../support/dead-letter-fixture.ts';

const operator = { actor: 'test' };
const ofPipeline = { type: 'ticket.opened', pipeline: 'support', stage: 'triage' };

/** A budget of a month, with little in it. */
const budget = (name: string, more: object) =>
  definitionOf({
    name,
    window: 'month',
    timeZone: 'UTC',
    limitUsd: '0.001',
    atLimit: 'park',
    unpriced: 'allow',
    alertAt: [],
    ...more,
  });

/** What is promised of estimates. */
export function batchEstimatesContract(_: string, open: () => Promise<SqlDatabase>): void {
  describe('the estimate of a batch', () => {
    let database: SqlDatabase;
    let messages: DeadLetterFixture;
    beforeAll(async () => {
      database = await open();
      messages = new DeadLetterFixture(database);
    });
    beforeEach(async () => {
      await messages.clear();
      await database.execute('delete from millrace.batches');
    });

    /** A message that has ended, with so many calls of ten tokens in and five out. */
    const ended = async (
      calls: number,
      parts: Parameters<DeadLetterFixture['admit']>[0] = {},
    ): Promise<void> => {
      const id = await messages.admit({ ...ofPipeline, ...parts });
      const { fencingToken } = await messages.lease(id);
      for (let call = 0; call < calls; call += 1) await messages.pay(id, fencingToken, `step-${call}`, '0.5');
      await messages.end(id, fencingToken);
    };
    const estimate = async (count: number, team?: string): Promise<BatchEstimate> => {
      const intake = intakeOver(database);
      const { batch } = await intake.create(batchRequest('estimated'), operator);
      await intake.upload(batch.id, lines(tickets(count)), {});
      return await intake.estimate(batch.id, { team });
    };
    const online = ({ modes }: BatchEstimate) => modes.find(({ mode }) => mode === 'online');

    it('says that nothing is known, and what one call of each model can cost at most', async () => {
      expect(await estimate(100)).toMatchObject({
        items: 100,
        basis: 'none',
        modes: [],
        models: [],
        upperBounds: [
          { model: 'openai/gpt-5-mini', totalUsd: expect.stringMatching(/^\d+\.\d+$/) as unknown },
        ],
        budgets: [],
        notes: [
          expect.stringMatching(/has no messages of the type "ticket.opened"/) as unknown,
          expect.any(String),
        ],
      });
    });

    it('is by what messages of its type and team used of late, at the prices of now', async () => {
      for (const calls of [1, 2, 3]) await ended(calls);
      await ended(50, { origin: { team: 'red', customer: 'acme', feature: 'search' } });
      await ended(50, { type: 'ticket.sorted' });
      await messages.admit(ofPipeline);
      const found = await estimate(1000);
      expect(found).toMatchObject({ basis: 'history', sample: { messages: 3 }, items: 1000 });
      // Two calls an item: 10 × 0.25 + 5 × 2 dollars a million, in the standard tier; half of it in batches.
      expect(online(found)).toMatchObject({
        totalUsd: { p50: '0.025' },
        itemUsd: { p50: '0.000025', p90: '0.000038' },
      });
      expect(Number(online(found)?.totalUsd?.p90)).toBeGreaterThan(0.03);
      expect(found.modes.find(({ mode }) => mode === 'provider')).toMatchObject({
        totalUsd: { p50: '0.0125' },
      });
      expect(found.models).toMatchObject([
        { callsPerItem: 2, inputTokens: { p50: 20_000 }, outputTokens: { p50: 10_000 } },
      ]);
    });

    it('counts all that followed from a message, and no message of which something is under way', async () => {
      await ended(1);
      await database.execute(`update millrace.messages set created_at = created_at - interval '1 day'`);
      const root = await messages.admit(ofPipeline);
      const { fencingToken } = await messages.lease(root);
      await messages.pay(root, fencingToken, 'first', '0.5');
      await messages.end(root, fencingToken);
      const child = await messages.admit({ ...ofPipeline, type: 'ticket.sorted' });
      await database.execute(
        `update millrace.messages set root_id = '${root}', parent_id = '${root}', hops = 1 where id = '${child}'`,
      );
      expect(await estimate(10)).toMatchObject({ sample: { messages: 1 } });
      const { fencingToken: token } = await messages.lease(child);
      await messages.pay(child, token, 'second', '0.5');
      await messages.end(child, token);
      expect(await estimate(10)).toMatchObject({ sample: { messages: 2 }, models: [{ callsPerItem: 1.5 }] });
    });

    it('stands beside what budgets have left that concern it', async () => {
      await ended(1);
      const ledger = new BudgetLedger(database);
      await ledger.define([
        budget('all', {}),
        budget('blue', { team: 'blue', limitUsd: '100' }),
        budget('mini', { team: 'blue', model: 'openai/gpt-5-mini' }),
        budget('red', { team: 'red' }),
        budget('tokens', { pipeline: 'support', limitUsd: undefined, limitTokens: '1000000' }),
      ]);
      const verdicts = ({ budgets }: BatchEstimate) => budgets.map(({ name, fits }) => [name, fits]);
      expect(verdicts(await estimate(1000))).toEqual([
        ['all', false],
        ['blue', true],
        ['mini', undefined],
        ['tokens', true],
      ]);
      expect(verdicts(await estimate(1000, 'blue'))).toEqual([
        ['blue', true],
        ['mini', undefined],
      ]);
      await ledger.define([]);
    });

    it('keeps a batch from being started for which a budget that stops calls has too little left, unless it is forced', async () => {
      await ended(1);
      const ledger = new BudgetLedger(database);
      const intake = intakeOver(database);
      await estimate(1000);
      const id = (await intake.named('blue', 'estimated'))?.id ?? '';
      const blue = { ...operator, team: 'blue' };
      for (const [given, told] of [
        [
          { team: 'blue', atLimit: 'refuse' },
          /budget "small": has 0\.001 USD left until .*, .* up to 0\.0\d+ USD/,
        ],
        [
          { name: 'few', team: 'blue', limitUsd: undefined, limitTokens: '100' },
          /budget "few": has 100 tokens left/,
        ],
        [{}, /a budget that is not the team's has less left/],
      ] as const) {
        await ledger.define([budget('small', given)]);
        const refused = await intake.start(id, '', blue).catch((error: unknown) => error);
        expect(refused).toMatchObject({
          code: 'MILLRACE_BATCH_OVER_BUDGET',
          status: 409,
          message: expect.stringMatching(told) as unknown,
        });
      }
      expect(await intake.find(id, {})).toMatchObject({
        state: 'receiving',
        uploadState: 'complete',
        items: 1000,
      });
      await ledger.define([budget('small', { team: 'blue' })]);
      expect(await intake.start(id, '', blue, { force: true })).toMatchObject({ state: 'running' });
      expect(await intake.start(id, '', blue)).toMatchObject({ state: 'running' });
      const { rows } = await database.query<{ forced: string | null }>(
        {
          name: 'test.forced',
          text: `select detail::json ->> 'forced' as forced from millrace.operator_actions where target = 'batch estimated' and action = 'batches.start'
            order by at desc limit 1`,
        },
        [],
      );
      expect(rows).toEqual([{ forced: 'true' }]);
      await ledger.define([]);
    });

    it('finds the budget that has least left, however many others have a name before its', async () => {
      await ended(1);
      const ledger = new BudgetLedger(database);
      const wide = Array.from({ length: 120 }, (_, index) =>
        budget(`a-${index}`, { team: 'blue', limitUsd: String(1000 + index) }),
      );
      await ledger.define([...wide, budget('small', { team: 'blue', atLimit: 'refuse' })]);
      await estimate(1000);
      const intake = intakeOver(database);
      const id = (await intake.named('blue', 'estimated'))?.id ?? '';
      await expect(intake.start(id, '', operator)).rejects.toMatchObject({
        code: 'MILLRACE_BATCH_OVER_BUDGET',
        message: expect.stringContaining('budget "small"') as unknown,
      });
      await ledger.define([]);
    });

    it('does not keep a batch from being started for budgets that stop nothing, or have room', async () => {
      await ended(1);
      const ledger = new BudgetLedger(database);
      const budget = {
        window: 'month',
        timeZone: 'UTC',
        unpriced: 'allow',
        alertAt: [] as number[],
      } as const;
      await ledger.define([
        definitionOf({ ...budget, name: 'told', limitUsd: '0.001', atLimit: 'alert' }),
        definitionOf({ ...budget, name: 'wide', limitUsd: '100', atLimit: 'refuse' }),
        definitionOf({ ...budget, name: 'red', team: 'red', limitUsd: '0.001', atLimit: 'refuse' }),
      ]);
      await estimate(1000);
      const intake = intakeOver(database);
      const id = (await intake.named('blue', 'estimated'))?.id ?? '';
      expect(await intake.start(id, '', operator)).toMatchObject({ state: 'running' });
      await ledger.define([]);
    });
  });
}
