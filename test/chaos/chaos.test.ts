import { rmSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { canRun, postgresPrograms, redisPrograms } from '../support/required-programs.ts';
import { summaryOf, violationsOf } from './chaos-report.ts';
import { type Fault, planFaults } from './fault-plan.ts';
import { checkInvariants } from './invariants.ts';
import { type ChaosRunOptions, runChaos } from './run-chaos.ts';

/* Short runs of the chaos suite; `npm run chaos` makes the long ones. */

async function expectNoViolations(options: Omit<ChaosRunOptions, 'patienceMs'>): Promise<void> {
  const { seed } = options;
  const run = await runChaos({ ...options, patienceMs: 120_000 });
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
    const plan = planFaults({ seed: 3, stores: 'embedded', faults: 4 });
    await expectNoViolations({ seed: 3, messages: 30, stores: 'embedded', plan });
  });

  it.skipIf(!canRun(postgresPrograms()) || !canRun(redisPrograms()))(
    'keeps its promises on PostgreSQL, Redis and ClickHouse',
    { timeout: 300_000 },
    async () => {
      const plan = planFaults({ seed: 1, stores: 'services', faults: 8 });
      await expectNoViolations({ seed: 1, messages: 60, stores: 'services', plan });
    },
  );

  it.skipIf(!canRun(postgresPrograms()) || !canRun(redisPrograms()))(
    'keeps its promises while servers refuse writes, ClickHouse is away at a start, and clocks are set',
    { timeout: 300_000 },
    async () => {
      const hold = { scope: 'stage', value: 'enrich', aborts: false } as const;
      const faults: readonly Fault[] = [
        { kind: 'hold', hold, forMs: 2000 },
        { kind: 'queue_full', forMs: 2000 },
        { kind: 'clock_set', target: 'worker-1', byMs: 3_600_000, forMs: 3000 },
        { kind: 'postgres_read_only', forMs: 2000 },
        { kind: 'clickhouse_away_at_start', target: 'worker-2', awayMs: 4000 },
        { kind: 'kill', target: 'relay', awayMs: 0 },
        { kind: 'clock_set', target: 'api', byMs: -3_600_000, forMs: 3000 },
        { kind: 'queue_read_only', forMs: 2000 },
      ];
      const plan = faults.map((fault, index) => ({ atShare: 0.1 + index / 10, fault }));
      await expectNoViolations({ seed: 7, messages: 60, stores: 'services', plan });
    },
  );

  it.skipIf(!canRun(postgresPrograms()))(
    'keeps its promises with the queue on PostgreSQL, which is emptied twice',
    { timeout: 300_000 },
    async () => {
      const plan = planFaults({ seed: 6, stores: 'services', faults: 6 });
      await expectNoViolations({ seed: 6, messages: 40, stores: 'services', queue: 'postgres', plan });
    },
  );
});

describe('the plan of a run', () => {
  it('has every kind of fault within a long run on services', () => {
    const kinds = planFaults({ seed: 1, stores: 'services', faults: 100 }).map(({ fault }) => fault.kind);
    for (const kind of ['postgres_read_only', 'queue_read_only', 'queue_full', 'clock_set'])
      expect(kinds).toContain(kind);
    expect(kinds).toContain('clickhouse_away_at_start');
  });

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
