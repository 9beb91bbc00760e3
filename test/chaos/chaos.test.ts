import { rmSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { canRun, postgresPrograms, redisPrograms } from '../support/required-programs.ts';
import { isFullDepth } from '../support/test-depth.ts';
import { withBatchFaults } from './batch-faults.ts';
import { summaryOf, violationsOf } from './chaos-report.ts';
import { type Fault, type PlannedFault, planFaults, withClickHouseAway } from './fault-plan.ts';
import { faultKindOf, faultKindsOf, tallyOf, tallyText } from './fault-tally.ts';
import { checkInvariants } from './invariants.ts';
import { type ChaosRun, type ChaosRunOptions, runChaos } from './run-chaos.ts';

/*
 * Short runs of the chaos suite, one of each kind; with MILLRACE_TEST_DEPTH=full those too whose faults befall another run as well.
 * `npm run chaos` makes the long ones.
 */

async function expectNoViolations(options: Omit<ChaosRunOptions, 'patienceMs'>): Promise<ChaosRun> {
  const { seed } = options;
  const run = await runChaos({ ...options, patienceMs: 120_000, isMigrated: !isFullDepth });
  const results = checkInvariants(run.evidence);
  expect(violationsOf(results, run.evidence), `seed ${seed}\n${summaryOf(run)}`).toBe('');
  for (const { name, checks, unchecked } of results) {
    expect(unchecked !== undefined || checks > 0, `${name} had something to check`).toBe(true);
  }
  rmSync(run.directory, { recursive: true, force: true });
  expect(run.deaths.length, 'processes were killed').toBeGreaterThan(0);
  return run;
}

const backlogOfThree = {
  seed: 9,
  messages: 40,
  stores: 'services',
  workers: 3,
  isBacklogFirst: true,
} as const;

/** Of that backlog: each of its workers is killed, somewhere or with messages that it has just claimed. */
const killedWorkers: readonly PlannedFault[] = (() => {
  const pause = { scope: 'stage', value: 'enrich', aborts: false } as const;
  const claimed = { name: 'ledger.claim_messages', when: 'after', nth: 2, delayMs: 0 } as const;
  const faults: readonly Fault[] = [
    { kind: 'kill', target: 'worker-1', awayMs: 300 },
    { kind: 'kill_at', target: 'worker-2', point: claimed, awayMs: 300 },
    { kind: 'pause', pause, forMs: 500 },
    { kind: 'kill', target: 'worker-3', awayMs: 300 },
    { kind: 'kill_at', target: 'worker-1', point: claimed, awayMs: 0 },
  ];
  return faults.map((fault, index) => ({ atShare: 0.1 + index / 8, fault }));
})();

function expectShared({ evidence: { history } }: ChaosRun): void {
  const leases = history.filter(({ to_state: to, taken_by: by }) => to === 'leased' && by !== null);
  const firstMs = Math.min(...leases.map(({ at_ms: atMs }) => atMs));
  const admissions = history.filter(
    ({ from_state: from, client }) => from === null && client?.startsWith('millrace api') === true,
  );
  expect(admissions.length).toBeGreaterThanOrEqual(40);
  expect(Math.max(...admissions.map(({ at_ms: atMs }) => atMs))).toBeLessThan(firstMs);
  const workers = new Set(leases.map(({ taken_by: by }) => by?.replace(/\.\d+$/, '')));
  expect(workers).toEqual(new Set(['worker-1', 'worker-2', 'worker-3']));
}

function expectCaughtUp({ evidence: { outages, reports } }: ChaosRun): void {
  expect(outages).toEqual([expect.objectContaining({ caughtUpMs: expect.any(Number) as number })]);
  // Several hundred on a free machine; a loaded one comes to less in the time.
  expect(outages[0]?.waiting).toBeGreaterThan(30);
  expect(Object.keys(reports.refused)).toEqual(['MILLRACE_COLUMN_STORE_UNAVAILABLE']);
}

describe('a run in which everything goes wrong', () => {
  it('keeps its promises on embedded stores', { timeout: 300_000 }, async () => {
    const plan = planFaults({ seed: 3, stores: 'embedded', faults: 4 });
    // Calls wait for their provider's batch for many seconds: the run on servers has batches too.
    await expectNoViolations({ seed: 3, messages: 30, stores: 'embedded', plan, hasBatches: isFullDepth });
  });

  it.skipIf(!canRun(postgresPrograms()) || !canRun(redisPrograms()))(
    'keeps its promises on PostgreSQL, Redis and ClickHouse',
    { timeout: 300_000 },
    async () => {
      // Servers that refuse writes and clocks that are set are in the plan of every seed.
      const awayAtStart: PlannedFault = {
        atShare: 0.5,
        fault: { kind: 'clickhouse_away_at_start', target: 'worker-2', awayMs: 4000 },
      };
      const plan = [...planFaults({ seed: 1, stores: 'services', faults: 4 }), awayAtStart].toSorted(
        (left, right) => left.atShare - right.atShare,
      );
      const withBatches = withBatchFaults(plan, { seed: 1, stores: 'services' });
      const options = { seed: 1, messages: 60, stores: 'services', hasBatches: true } as const;
      await expectNoViolations({ ...options, plan: withBatches });
    },
  );

  it.skipIf(!isFullDepth || !canRun(postgresPrograms()) || !canRun(redisPrograms()))(
    'keeps its promises while servers refuse writes, ClickHouse is away at a start, and clocks are set',
    { timeout: 300_000 },
    async () => {
      const pause = { scope: 'stage', value: 'enrich', aborts: false } as const;
      const faults: readonly Fault[] = [
        { kind: 'pause', pause, forMs: 2000 },
        { kind: 'queue_full', forMs: 2000 },
        { kind: 'clock_set', target: 'worker-1', byMs: 3_600_000, forMs: 3000 },
        { kind: 'postgres_read_only', forMs: 2000 },
        { kind: 'clickhouse_away_at_start', target: 'worker-2', awayMs: 4000 },
        { kind: 'kill', target: 'maintenance', awayMs: 0 },
        { kind: 'clock_set', target: 'api', byMs: -3_600_000, forMs: 3000 },
        { kind: 'queue_read_only', forMs: 2000 },
      ];
      const plan = faults.map((fault, index) => ({ atShare: 0.1 + index / 10, fault }));
      await expectNoViolations({ seed: 7, messages: 60, stores: 'services', plan });
    },
  );

  it.skipIf(!canRun(postgresPrograms()) || !canRun(redisPrograms()))(
    'keeps its promises, and catches up, when three workers share a backlog that none of them admitted, and are killed while ClickHouse is away',
    { timeout: 300_000 },
    async () => {
      const plan = [
        { atShare: 0.02, fault: { kind: 'clickhouse_away', awayMs: 10_000 } },
        ...killedWorkers,
        { atShare: 0.7, fault: { kind: 'kill', target: 'maintenance', awayMs: 0 } },
      ] as const;
      const run = await expectNoViolations({ ...backlogOfThree, plan });
      expectShared(run);
      expectCaughtUp(run);
    },
  );

  it.skipIf(!isFullDepth || !canRun(postgresPrograms()) || !canRun(redisPrograms()))(
    'keeps its promises when three workers share a backlog that none of them admitted, and are killed',
    { timeout: 300_000 },
    async () => expectShared(await expectNoViolations({ ...backlogOfThree, plan: killedWorkers })),
  );

  it.skipIf(!isFullDepth || !canRun(postgresPrograms()) || !canRun(redisPrograms()))(
    'keeps its promises, and catches up, while ClickHouse is away under load',
    { timeout: 300_000 },
    async () => {
      const plan: readonly PlannedFault[] = [
        { atShare: 0.02, fault: { kind: 'clickhouse_away', awayMs: 12_000 } },
        { atShare: 0.3, fault: { kind: 'kill', target: 'maintenance', awayMs: 0 } },
        {
          atShare: 0.4,
          fault: { kind: 'pause', pause: { scope: 'stage', value: 'write', aborts: true }, forMs: 500 },
        },
      ];
      const options = { seed: 12, messages: 60, stores: 'services', admitOverMs: 12_000 } as const;
      expectCaughtUp(await expectNoViolations({ ...options, plan }));
    },
  );

  it.skipIf(!isFullDepth || !canRun(postgresPrograms()))(
    'keeps its promises with the queue on PostgreSQL, which is emptied twice',
    { timeout: 300_000 },
    async () => {
      const emptied: readonly PlannedFault[] = [0.3, 0.6].map((atShare) => ({
        atShare,
        fault: { kind: 'queue_emptied' },
      }));
      const others = planFaults({ seed: 6, stores: 'services', faults: 3 });
      const plan = [...others, ...emptied].toSorted((left, right) => left.atShare - right.atShare);
      await expectNoViolations({ seed: 6, messages: 40, stores: 'services', queue: 'postgres', plan });
    },
  );
});

describe('the plan of a run', () => {
  it.each(['embedded', 'services'] as const)('has every kind of fault within a long run (%s)', (stores) => {
    const struck = planFaults({ seed: 1, stores, faults: 100 }).map(({ fault }) => faultKindOf(fault));
    expect([...new Set(struck)].toSorted()).toEqual([...faultKindsOf(stores)].toSorted());
    expect(tallyText(tallyOf(stores, struck))).toContain('did not strike: none, every kind did');
  });

  it('has a full disk, clocks an hour off and servers that refuse writes in every run', () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const kinds = planFaults({ seed, stores: 'services', faults: 1 }).map(({ fault }) =>
        faultKindOf(fault),
      );
      expect(kinds).toEqual(
        expect.arrayContaining([
          'disk_full',
          'clock_forward',
          'clock_back',
          'postgres_away',
          'postgres_read_only',
          'queue_read_only',
          'queue_full',
        ]),
      );
    }
  });

  it('takes ClickHouse away at the beginning, and leaves it alone else, when it is to be away for long', () => {
    const plan = withClickHouseAway(planFaults({ seed: 1, stores: 'services', faults: 100 }), 600_000);
    const kinds = plan.map(({ fault }) => fault.kind).filter((kind) => kind.startsWith('clickhouse'));
    expect(kinds).toEqual(['clickhouse_away']);
    expect(plan[0]?.fault).toEqual({ kind: 'clickhouse_away', awayMs: 600_000 });
  });

  it('strikes every worker that there is', () => {
    const plan = planFaults({ seed: 1, stores: 'services', faults: 100, workers: 3 });
    const targets = new Set(plan.flatMap(({ fault }) => ('target' in fault ? [fault.target] : [])));
    expect(targets).toEqual(new Set(['worker-1', 'worker-2', 'worker-3', 'api', 'maintenance']));
  });

  it('has the steps of batches beside all that it has without them', () => {
    const options = { seed: 5, stores: 'services', faults: 30 } as const;
    const plan = planFaults(options);
    const withBatches = withBatchFaults(plan, options);
    expect(withBatches.filter((fault) => plan.includes(fault))).toEqual(plan);
    const added = withBatches.filter((fault) => !plan.includes(fault));
    expect(added.map(({ fault }) => fault)).toEqual(
      Array.from(
        { length: 3 },
        () => expect.objectContaining({ kind: 'kill_at', target: 'maintenance' }) as Fault,
      ),
    );
    expect(withBatchFaults(plan, options)).toEqual(withBatches);
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
