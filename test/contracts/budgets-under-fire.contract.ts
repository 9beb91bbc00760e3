import { beforeAll, describe, expect, it } from 'vitest';
import { BudgetLedger } from '../../src/capabilities/budgets/budget-ledger.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { CallLedger } from '../../src/engine/ledger/call-ledger.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/ids.ts';
import { formatUsd, usd } from '../../src/kernel/money.ts';
import { settledFor, someBudget, unsettledFor } from '../support/budget-fixture.ts';
import { LedgerHarness, someReservation } from '../support/ledger-fixture.ts';
import { forbidOverspending } from '../support/overspending.ts';

/* 200 workers of several processes at once on budgets of three levels, some of which die while their calls are under way. */

const workers = 200;
const callsEach = 6;
const levels = [
  { name: 'all', team: undefined, window: 'month', timeZone: 'Europe/Berlin', limitUsd: '7' },
  { name: 'team', team: 'blue', window: 'day', timeZone: 'America/New_York', limitUsd: '5' },
  { name: 'tokens', customer: 'acme', window: '1h', limitTokens: '45000' },
] as const;
const names = levels.map(({ name }) => name);

/** Numbers from 0 to below 1 that are the same in every run. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/**
 * On the databases of several processes, each with connections of its own. `startVictim` starts one more, which works under these quotas and
 * answers how it is killed.
 */
export function budgetsUnderFireContract(
  name: string,
  open: () => Promise<readonly SqlDatabase[]>,
  startVictim?: (quotas: readonly string[]) => Promise<() => Promise<void>>,
): void {
  describe(`budgets under fire on ${name}`, () => {
    let harness: LedgerHarness;
    let ledgers: readonly CallLedger[];
    let budgets: BudgetLedger;
    let violations: () => Promise<readonly unknown[]>;

    beforeAll(async () => {
      const databases = await open();
      const [first] = databases;
      if (first === undefined) throw new Error('there is a process at least');
      harness = await LedgerHarness.begin(first);
      ledgers = databases.map((database) => new CallLedger({ database, clock: systemClock }));
      budgets = new BudgetLedger(first);
      violations = await forbidOverspending(first);
    });

    it('never pass a limit at any write, and leave nothing reserved', async () => {
      await budgets.define(levels.map((level) => someBudget(level)));
      // Some of the messages lose their lease in the middle, as those of a process that was killed.
      const messages = await Promise.all(Array.from({ length: 20 }, () => harness.admitted()));
      const leases = new Map<string, number>();
      for (const id of messages) leases.set(id, (await harness.leased(id)).fencingToken);

      const tally = { reserved: 0, refused: 0, lost: 0, left: 0 };
      const left: string[] = [];
      const refusedBy = new Set<string>();
      const samples: unknown[] = [];
      let looks = 0;
      const worker = async (index: number): Promise<void> => {
        const random = numbers(index + 1);
        const ledger = ledgers[index % ledgers.length];
        const message = messages[index % 40];
        const fencingToken = message === undefined ? undefined : leases.get(message);
        if (ledger === undefined) throw new Error('there is a ledger for each worker');
        for (let n = 0; n < callsEach; n += 1) {
          // The database looks at every write; some workers add everything up besides.
          if (index % 40 === 0) {
            samples.push(...(await budgets.findFaults()));
            looks += 1;
          }
          const boundUsd = formatUsd(usd(String(Math.ceil(random() * 200))).times('0.001'));
          const bound = Math.ceil(random() * 1000);
          const costUsd = formatUsd(
            usd(boundUsd)
              .times(Math.floor(random() * 100))
              .times('0.01'),
          );
          const id = newId(new Date());
          const outcome = await ledger.reserve(
            someReservation({
              id,
              message:
                message === undefined || fencingToken === undefined
                  ? undefined
                  : { id: message, fencingToken },
              origin:
                message === undefined ? { team: 'blue', customer: 'acme', feature: 'search' } : undefined,
              ordinal: n,
              upperBoundUsd: usd(boundUsd),
              upperBoundTokens: bound,
              quotas: names.filter((_, level) => level === 0 || random() < 0.8),
            }),
          );
          if (outcome.kind === 'over_quota') refusedBy.add(outcome.quota);
          if (outcome.kind !== 'reserved') {
            tally[outcome.kind === 'over_quota' ? 'refused' : 'lost'] += 1;
            continue;
          }
          tally.reserved += 1;
          const tokens = {
            uncached_input: Math.floor(bound * random() * 0.5),
            text_output: Math.floor(bound * 0.4),
          };
          const fate = random();
          if (fate < 0.15) {
            // The process is killed: whoever looks after it gives the call up.
            left.push(id);
            tally.left += 1;
          } else if (fate < 0.25) await ledger.settle(unsettledFor(id, boundUsd));
          else if (fate < 0.35) {
            await ledger.settle(settledFor(id, '0', { settlement: 'free', outcome: 'error', tokens: {} }));
          } else if (fate < 0.5) {
            // It is given up while its answer comes.
            const [, isSettled] = await Promise.all([
              ledgers[0]?.abandon([{ id, line: '{}' }]),
              ledger.settle(settledFor(id, costUsd, { tokens })),
            ]);
            if (!isSettled) await ledger.settleLate(settledFor(id, costUsd, { tokens }), ['{}']);
          } else await ledger.settle(settledFor(id, costUsd, { tokens }));
        }
      };
      const kill = await startVictim?.(names);
      const work = Promise.all(Array.from({ length: workers }, (_, index) => worker(index)));
      await expect.poll(() => tally.reserved, { interval: 5 }).toBeGreaterThan(workers / 2);
      await harness.expireLeases();
      await kill?.();
      await work;

      // What died is found by its lease; what belongs to no message, by its age.
      const [ledger] = ledgers;
      await harness.database.execute(
        `update millrace.calls set reserved_at = reserved_at - interval '2 hours' where state = 'reserved' and message_id is null`,
      );
      const abandoned = (await ledger?.listAbandoned(0, 10_000)) ?? [];
      const own = abandoned.filter(({ step }) => step !== 'killed');
      expect(own.map(({ id }) => id).toSorted()).toEqual(left.toSorted());
      if (kill !== undefined) expect(abandoned.length).toBeGreaterThan(own.length);
      const given = await ledger?.abandon(abandoned.map(({ id }) => ({ id, line: '{}' })));
      expect(given).toBe(abandoned.length);

      expect(await violations()).toEqual([]);
      expect(samples).toEqual([]);
      expect(await budgets.findFaults()).toEqual([]);
      const states = await budgets.read();
      expect(states.map((state) => formatUsd(state.reserved))).toEqual(['0', '0', '0']);
      // A run in which nothing was refused, lost or killed, or nobody looked, would show nothing.
      for (const [what, count] of Object.entries({ ...tally, looks })) {
        expect(count, what).toBeGreaterThan(what === 'looks' ? 2 : 10);
      }
      expect([...refusedBy].toSorted()).toEqual(names.toSorted());
    }, 300_000);
  });
}
