import { beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { newId } from '../../src/kernel/ids.ts';
import { formatUsd, usd } from '../../src/kernel/money.ts';
import { DeadLetters } from '../../src/capabilities/dead-letters/dead-letters.ts';
import { DeadLetterFixture } from '../support/dead-letter-fixture.ts';

const everyone = {};

/** What the ledger says of a replay before it is made, on whichever database. */
export function replayPlanContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`the plan of a replay on ${name}`, () => {
    let database: SqlDatabase;
    let fixture: DeadLetterFixture;
    let letters: DeadLetters;

    beforeEach(async () => {
      database = await open();
      fixture = new DeadLetterFixture(database);
      letters = new DeadLetters(database);
      await fixture.clear();
    });

    const succeeded = async (stage: string, costs: readonly string[], eventNamed = false): Promise<void> => {
      const id = eventNamed ? newId(new Date(0)) : newId(new Date());
      await fixture.admit({ id, stage });
      const { fencingToken } = await fixture.lease(id);
      for (const [index, cost] of costs.entries()) await fixture.pay(id, fencingToken, `s${index}`, cost);
      await fixture.messages.finish({ id, fencingToken, result: undefined, emissions: [], durationMs: 1 });
    };
    const deadAfter = async (
      stage: string,
      costs: readonly string[],
      failed: readonly string[] = [],
    ): Promise<void> => {
      const id = newId(new Date());
      await fixture.admit({ id, stage });
      const { fencingToken } = await fixture.lease(id);
      for (const [index, cost] of costs.entries()) await fixture.pay(id, fencingToken, `s${index}`, cost);
      for (const cost of failed) await fixture.pay(id, fencingToken, 'lost', cost, false);
      await fixture.end(id, fencingToken);
    };

    it('says by stage how many, what is reused, and what it costs above that', async () => {
      await succeeded('a', ['1', '3']);
      await succeeded('a', ['2'], true);
      await deadAfter('a', ['1'], ['0.5']);
      await deadAfter('a', []);
      await deadAfter('a', ['1', '3', '4']);
      await deadAfter('b', ['0.25']);
      const before = await fixture.dump();
      const plan = await letters.plan({}, everyone, 100);
      const plain = plan.map((stage) =>
        Object.fromEntries(
          Object.entries(stage).map(([key, value]) => [
            key,
            typeof value === 'object' ? formatUsd(value) : value,
          ]),
        ),
      );
      expect(plain).toEqual([
        {
          stage: 'a',
          owner: 'platform',
          count: 3,
          reusableSteps: 4,
          reusableUsd: '9',
          paidUsd: '9.5',
          sampleSize: 2,
          // On average 3 a message: 3 - 1, 3 - 0, and nothing for the one that has paid more; 4 at most.
          estimatedUsd: '5',
          mostExpensiveUsd: '7',
        },
        {
          stage: 'b',
          owner: 'platform',
          count: 1,
          reusableSteps: 1,
          reusableUsd: '0.25',
          paidUsd: '0.25',
          sampleSize: 0,
          estimatedUsd: undefined,
          mostExpensiveUsd: undefined,
        },
      ]);
      expect(await fixture.dump()).toBe(before);
      expect(await letters.plan({}, everyone, 2)).toMatchObject([{ stage: 'a', count: 2 }]);
    });

    it('counts an answer of the same place once, and takes no message of unknown price as a sample', async () => {
      const id = await fixture.admit({ stage: 'a' });
      for (const cost of ['1', '2']) {
        const { fencingToken } = await fixture.lease(id);
        await fixture.pay(id, fencingToken, 'draft', cost);
        await fixture.messages.retry({ id, fencingToken, delayMs: 0, code: 'X', detail: '{}' });
      }
      await fixture.end(id, (await fixture.lease(id)).fencingToken);
      await succeeded('a', ['5']);
      await database.execute(`update millrace.calls set cost_usd = null where cost_usd = 5`);
      const [plan] = await letters.plan({}, everyone, 10);
      expect(plan).toMatchObject({ count: 1, reusableSteps: 1, sampleSize: 0, estimatedUsd: undefined });
      expect([formatUsd(plan?.reusableUsd ?? usd('0')), formatUsd(plan?.paidUsd ?? usd('0'))]).toEqual([
        '2',
        '3',
      ]);
    });
  });
}
