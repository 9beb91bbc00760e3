import { beforeEach, describe, expect, it } from 'vitest';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { LedgerCounts } from '../../src/engine/ledger/ledger-counts.ts';
import { LedgerHarness, someAdmission } from '../support/ledger-fixture.ts';

/** Counts them all, as nobody does who wants to count often. */
const countAll = {
  name: 'test.count_all',
  text: `select stage, lane, kind, count(*)::int as count from (
      select stage, lane, case
        when state = 'pending' and parked_for = 'start' then 'scheduled'
        when state = 'pending' and parked_for is not null then 'parked'
        when state = 'pending' and date_trunc('second', available_at) > statement_timestamp() then 'delayed'
        when state = 'pending' then 'ready'
        when state = 'dead_lettered' and discarded_at is null then 'dead'
        when state = 'dead_lettered' then 'discarded' else state end as kind
      from millrace.messages) m group by 1, 2, 3
    union all
    select '', '', 'unsettled', count(*)::int from millrace.calls where state = 'unsettled' having count(*) > 0`,
};

/** Things that statements of the ledger do to many rows at once; each takes a part of all messages by chance ($1). */
const changes = [
  `update millrace.messages set state = 'leased', lease_until = clock_timestamp(), sweep_at = clock_timestamp() where state = 'pending' and parked_for is null and random() < $1::float8`,
  `update millrace.messages set state = 'pending', lease_until = null, sweep_at = 'infinity', available_at = clock_timestamp() + interval '1 hour'
     where state = 'leased' and random() < $1::float8`,
  `update millrace.messages set state = 'pending', parked_for = 'budget:x', lease_until = null, sweep_at = 'infinity' where state = 'leased' and random() < $1::float8`,
  `update millrace.messages set parked_for = 'start', start_at = clock_timestamp() + interval '1 hour' where state = 'pending' and parked_for is null and random() < $1::float8 / 2`,
  `update millrace.messages set parked_for = null, available_at = clock_timestamp() where parked_for is not null and random() < $1::float8`,
  `update millrace.messages set state = 'completed', sweep_at = null, lease_until = null, finished_at = clock_timestamp() where state = 'leased' and random() < $1::float8`,
  `update millrace.messages set state = 'dead_lettered', sweep_at = null, lease_until = null,
     finished_at = clock_timestamp() - random() * interval '3 days' where state = 'leased' and random() < $1::float8`,
  `update millrace.messages set discarded_at = clock_timestamp() where state = 'dead_lettered' and random() < $1::float8`,
  `update millrace.messages set state = 'cancelled', sweep_at = null, finished_at = clock_timestamp() where state = 'pending' and parked_for is null and random() < $1::float8 / 4`,
  `update millrace.messages set state = 'pending', sweep_at = 'infinity', finished_at = null, discarded_at = null,
     available_at = clock_timestamp() - random() * interval '30 days' where state = 'dead_lettered' and random() < $1::float8`,
  `update millrace.messages set available_at = available_at - random() * interval '20 minutes' where state = 'pending' and random() < $1::float8`,
  `update millrace.messages set lease_until = lease_until + interval '1 s' where state = 'leased' and random() < $1::float8`,
  `delete from millrace.messages where state in ('completed', 'cancelled') and random() < $1::float8`,
];

/** Numbers from 0 to 1 that are the same every time (a linear congruential generator). */
function drawsOf(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31;
}

/** What the ledger counts of itself, on whichever database. */
export function ledgerCountsContract(name: string, open: () => Promise<SqlDatabase>): void {
  describe(`counts of the ledger on ${name}`, () => {
    let harness: LedgerHarness;
    let counts: LedgerCounts;
    beforeEach(async () => {
      harness = await LedgerHarness.begin(await open());
      counts = new LedgerCounts(harness.database);
    });

    const admit = (count: number, lane: string, stages: readonly string[] = ['first', 'second']) =>
      Promise.all(
        Array.from({ length: count }, (_, n) =>
          harness.ledger.admit(someAdmission({ lane, stage: stages[n % stages.length] ?? '' })),
        ),
      );
    const counted = async () =>
      (await counts.read())
        .map(({ stage, lane, kind, count }) => `${stage} ${lane} ${kind} ${count}`)
        .toSorted();
    const truth = async () => {
      const { rows } = await harness.database.query<{
        stage: string;
        lane: string;
        kind: string;
        count: number;
      }>(countAll);
      return rows.map(({ stage, lane, kind, count }) => `${stage} ${lane} ${kind} ${count}`).toSorted();
    };

    it('are those of the rows after whatever happens to these, summed up or not', async () => {
      const random = drawsOf(7);
      for (let round = 0; round < 60; round += 1) {
        const lane = random() < 0.5 ? 'bulk' : 'standard';
        await admit(8, lane);
        const text = changes[Math.floor(random() * changes.length)] ?? '';
        await harness.database.query({ name: `test.change_${changes.indexOf(text)}`, text }, [random()]);
        if (random() < 0.3) await counts.sumUp(random() < 0.5 ? 3 : 1000);
        expect(await counted(), text).toEqual(await truth());
      }
      while (await counts.sumUp(5));
      expect(await counted()).toEqual(await truth());
      await harness.database.execute('delete from millrace.messages');
      expect(await counted()).toEqual([]);
      await counts.sumUp(1000);
      const { rows } = await harness.database.query({
        name: 'test.left',
        text: 'select * from millrace.ledger_counts union all select * from millrace.ledger_count_changes',
      });
      expect(rows).toEqual([]);
    });

    it('are told no more when what changed them is rolled back', async () => {
      await harness.admitted();
      await expect(
        harness.database.transaction(async (transaction) => {
          await transaction.execute(`update millrace.messages set parked_for = 'budget:x'`);
          throw new Error('undone');
        }),
      ).rejects.toThrow('undone');
      expect(await counted()).toEqual(['first standard ready 1']);
    });

    it('keep few rows of a long backlog, and say within a tenth since when it waits', async () => {
      for (const minutes of [1, 5, 50, 500, 5000]) {
        await harness.database.execute(`truncate millrace.messages`);
        await admit(100, 'standard', ['first']);
        await harness.database.execute(
          `update millrace.messages set available_at = clock_timestamp() - random() * ${minutes} * interval '1 minute';
           update millrace.messages set available_at = clock_timestamp() - ${minutes} * interval '1 minute'
             where id = (select id from millrace.messages limit 1)`,
        );
        while (await counts.sumUp(1000));
        const [ready] = await counts.read();
        expect(ready).toMatchObject({ kind: 'ready', count: 100 });
        expect(ready?.oldestSeconds).toBeGreaterThanOrEqual(minutes * 60);
        expect(ready?.oldestSeconds).toBeLessThan(minutes * 60 * 1.12 + 5);
        const [waiting] = await counts.listWaitingStages(['first', 'other']);
        expect(waiting?.stage).toBe('first');
        expect(waiting?.seconds).toBeGreaterThanOrEqual(minutes * 60 - 2);
      }
      expect(await counts.listWaitingStages(['other'])).toEqual([]);
    });
  });
}
