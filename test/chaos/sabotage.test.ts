import { rmSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { canRun, postgresPrograms, redisPrograms } from '../support/required-programs.ts';
import { isFullDepth } from '../support/test-depth.ts';
import type { StoresKind } from './chaos-settings.ts';
import type { Fault, PlannedFault } from './fault-plan.ts';
import { checkInvariants } from './invariants.ts';
import { runChaos } from './run-chaos.ts';
import type { Sabotage } from './sabotage.ts';

/*
 * A check that cannot fail is no check: each protection is switched off in turn, something happens that it is there
 * for, and the suite must name the promise that was broken.
 */

const killAfter = (name: string): Fault => ({
  kind: 'kill_at',
  target: 'host',
  point: { name, when: 'after', nth: 1, delayMs: 0 },
  awayMs: 0,
});
const leasesRunOut: Fault = { kind: 'expire_leases', target: 'api' };

interface SabotagedRun {
  readonly stores?: StoresKind;
  readonly messages: number;
  readonly plan: readonly PlannedFault[];
  readonly patienceMs?: number;
}

/** The invariants that the run broke, by name. */
async function brokenBy(
  sabotages: readonly Sabotage[],
  { stores = 'embedded', messages, plan, patienceMs = 40_000 }: SabotagedRun,
): Promise<readonly string[]> {
  const { evidence, directory } = await runChaos({
    seed: 11,
    messages,
    stores,
    plan,
    sabotages,
    patienceMs,
    isMigrated: !isFullDepth,
  });
  rmSync(directory, { recursive: true, force: true });
  return checkInvariants(evidence)
    .filter(({ violations }) => violations.length > 0)
    .map(({ name }) => name);
}

/** Protections that nothing has to happen for: whatever the run does, a promise is broken without them, and no other. */
const silent = [
  { what: 'a missing journal: answers are paid for again', sabotage: 'journal', promise: 'I4' },
  {
    what: 'a budget that forgets what was spent: its window is not what its calls say',
    sabotage: 'budgets',
    promise: 'I6',
  },
  {
    what: 'failures that say nothing: what handlers threw is not known',
    sabotage: 'failures',
    promise: 'I11',
  },
  {
    // Records are rendered from the ledger's rows, so that reports repeat what the ledger forgot: the bill alone tells.
    what: 'suspect usage without its mark: the ledger does not know whom it did not believe',
    sabotage: 'suspects',
    promise: 'I12',
  },
  {
    what: 'joins that do not wait: they go on before their branches have ended',
    sabotage: 'joins',
    promise: 'I19',
  },
] as const;
/** The provider's bad day lasts until all of the plan has struck. */
const badDay: SabotagedRun = {
  messages: 60,
  plan: [{ atShare: 0.85, fault: { kind: 'notify_again', count: 1, salt: 'x' } }],
};

/** A host leaves a paused stage alone within 200 ms by itself; of a paused model only the ledger knows. */
const pausesInTurn = (
  [
    ['stage', 'triage'],
    ['model', 'openai/gpt-5-mini'],
    ['model', 'openai/gpt-4.1-mini'],
  ] as const
).map(([scope, value], n) => ({
  atShare: 0.1 + n / 5,
  fault: { kind: 'pause', pause: { scope, value, aborts: false }, forMs: 2000 } as const,
}));

describe('the suite notices', { timeout: 300_000 }, () => {
  // In one process the leases' renewer knows when a message was given out again; between two only the fencing token does.
  it.skipIf(!canRun(postgresPrograms()) || !canRun(redisPrograms()))(
    'a missing fencing token: who let a lease expire finishes all the same',
    async () => {
      const plan = [0.05, 0.15, 0.25, 0.35, 0.45, 0.55].map((atShare) => ({ atShare, fault: leasesRunOut }));
      expect(await brokenBy(['fencing-token'], { stores: 'services', messages: 60, plan })).toContain('I5');
    },
  );

  it('a journal, a budget, failures, joins and marks that are missing at once, each by its own promise', async () => {
    const broken = await brokenBy(
      silent.map(({ sabotage }) => sabotage),
      badDay,
    );
    expect(broken.toSorted()).toEqual(silent.map(({ promise }) => promise).toSorted());
  });

  it.runIf(isFullDepth).each(silent)('$what', async ({ sabotage, promise }) => {
    expect(await brokenBy([sabotage], badDay)).toEqual([promise]);
  });

  it('missing deduplication: a batch arrives twice', async () => {
    const plan = [0.1, 0.3, 0.5].map((atShare) => ({ atShare, fault: killAfter('columns.insert') }));
    // Which table's batch a death leaves behind is chance: usage (I3, and the reports) or outcomes of messages (I1).
    const broken = await brokenBy(['deduplication'], { messages: 20, plan, patienceMs: 10_000 });
    expect(broken.filter((name) => name === 'I1' || name === 'I3')).not.toEqual([]);
  });

  it('a missing look at pauses: what is paused goes on', async () => {
    expect(await brokenBy(['pauses'], { messages: 40, plan: pausesInTurn })).toEqual(['I8']);
  });

  // An embedded host ends all leases itself when it starts, and its workers claim what is due without being told.
  it.skipIf(!canRun(postgresPrograms()) || !canRun(redisPrograms()))(
    'a missing sweeper: what a dead worker had is never done',
    async () => {
      const plan = ['worker-1', 'worker-2'].map((target) => ({
        atShare: 0.2,
        fault: { ...killAfter('ledger.claim_messages'), target } as Fault,
      }));
      const broken = await brokenBy(['sweeper'], {
        stores: 'services',
        messages: 40,
        plan,
        patienceMs: 20_000,
      });
      expect(broken).toEqual(expect.arrayContaining(['I1', 'I10']));
    },
  );
});
