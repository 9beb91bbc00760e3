import { rmSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { canRun, postgresPrograms, redisPrograms } from '../support/required-programs.ts';
import { summaryOf, violationsOf } from './chaos-report.ts';
import { planFaults } from './fault-plan.ts';
import { checkInvariants } from './invariants.ts';
import { type ChaosRunOptions, runChaos } from './run-chaos.ts';

/* Short runs of the chaos suite; `npm run chaos` makes the long ones. */

async function expectNoViolations(
  options: Omit<ChaosRunOptions, 'plan' | 'patienceMs'> & { readonly faults: number },
): Promise<void> {
  const { seed, stores, faults } = options;
  const run = await runChaos({ ...options, plan: planFaults({ seed, stores, faults }), patienceMs: 120_000 });
  const results = checkInvariants(run.evidence);
  expect(violationsOf(results, run.evidence), `seed ${seed}\n${summaryOf(run)}`).toBe('');
  for (const { name, checks, unchecked } of results) {
    expect(unchecked !== undefined || checks > 0, `${name} had something to check`).toBe(true);
  }
  rmSync(run.directory, { recursive: true, force: true });
  expect(run.deaths.length, 'processes were killed').toBeGreaterThan(0);
}

describe('a run in which everything goes wrong', () => {
  it('keeps its promises on embedded stores', { timeout: 300_000 }, async () => {
    await expectNoViolations({ seed: 3, messages: 30, stores: 'embedded', faults: 4 });
  });

  it.skipIf(!canRun(postgresPrograms()) || !canRun(redisPrograms()))(
    'keeps its promises on PostgreSQL, Redis and ClickHouse',
    { timeout: 300_000 },
    async () => {
      await expectNoViolations({ seed: 1, messages: 60, stores: 'services', faults: 8 });
    },
  );

  it.skipIf(!canRun(postgresPrograms()))(
    'keeps its promises with the queue on PostgreSQL, which is emptied twice',
    { timeout: 300_000 },
    async () => {
      await expectNoViolations({ seed: 6, messages: 40, stores: 'services', queue: 'postgres', faults: 6 });
    },
  );
});

describe('the plan of a run', () => {
  it('follows from the seed', () => {
    const options = { seed: 5, stores: 'services', faults: 30 } as const;
    expect(planFaults(options)).toEqual(planFaults(options));
    expect(planFaults(options)).not.toEqual(planFaults({ ...options, seed: 6 }));
  });

  it.each(['embedded', 'services'] as const)(
    'has every named point of a process within a long run (%s)',
    (stores) => {
      const plan = planFaults({ seed: 1, stores, faults: 100 });
      const points = plan.flatMap(({ fault }) =>
        fault.kind === 'kill_at' ? [`${fault.point.when} ${fault.point.name}`] : [],
      );
      const names = [
        'ledger.reserve_calls',
        'request',
        'ledger.settle_calls',
        'ledger.finish_messages',
        'queue.add',
        'columns.insert',
      ];
      for (const name of names) {
        for (const when of ['before', 'during', 'after']) expect(points).toContain(`${when} ${name}`);
      }
    },
  );
});
