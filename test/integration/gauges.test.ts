import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import type { Host } from '../../src/host/host.ts';
import { defineMessage, defineStage } from '../../src/millrace.ts';
import type { RegisteredStage } from '../../src/engine/pipeline/stage-registry.ts';
import { canRun, postgresPrograms, redisPrograms } from '../support/required-programs.ts';
import { startWorkerHosts, type WorkerHosts } from '../support/worker-hosts.ts';

const Thing = defineMessage('thing.happened').version(1, z.object({ n: z.number() }));
const definition = defineStage('work', { consumes: Thing.upTo(1), concurrency: 2 });
const origin = { team: 'blue', customer: 'acme', feature: 'search' };
const patience = { timeout: 30_000, interval: 50 };
const canRunHere = [postgresPrograms(), redisPrograms()].every((programs) => canRun(programs));

describe.skipIf(!canRunHere)('gauges over the stores', { timeout: 90_000 }, () => {
  let workers: WorkerHosts;
  let open: () => void;
  beforeEach(async () => {
    const gate = Promise.withResolvers<void>();
    open = gate.resolve;
    const handler = { handle: () => gate.promise };
    workers = await startWorkerHosts(1, [{ definition, handler } as RegisteredStage], {});
  });
  afterEach(async () => {
    open();
    await workers.close();
  });

  const onlyHost = (): Host => {
    const [host] = workers.hosts;
    if (host === undefined) throw new Error('a host was started');
    return host;
  };
  const backlog = async (state: string): Promise<number> => {
    const { body } = await onlyHost().metrics.render();
    const line = new RegExp(`^millrace_stage_backlog\\{.*lane="standard",state="${state}"\\} (\\S+)$`, 'm');
    return Number(line.exec(body)?.[1]);
  };
  const admit = (count: number) =>
    Promise.all(
      Array.from({ length: count }, (_, n) => onlyHost().admissions.admit(Thing.v1, { n }, { origin })),
    );

  it('are read when somebody scrapes, once for all who scrape at about the same time', async () => {
    const asked = vi.spyOn(onlyHost().stores.database, 'query');
    const timesAsked = (name: string): number =>
      asked.mock.calls.filter(([statement]) => statement.name === name).length;
    await admit(5);
    // The budgets are looked at every second; meanwhile nobody scrapes.
    await expect.poll(() => timesAsked('ledger.read_budgets'), patience).toBeGreaterThanOrEqual(4);
    expect(timesAsked('ledger.read_counts')).toBe(0);
    await expect.poll(() => backlog('ready'), patience).toBe(3);
    const before = timesAsked('ledger.read_counts');
    expect(before).toBeGreaterThan(0);
    expect(await Promise.all([backlog('ready'), backlog('leased'), backlog('ready')])).toEqual([3, 2, 3]);
    expect(timesAsked('ledger.read_counts') - before).toBeLessThanOrEqual(1);
  });

  it('show what was read last while the ledger is away, and the truth again when it is back', async () => {
    await admit(5);
    await expect.poll(() => backlog('ready'), patience).toBe(3);
    await workers.postgres.pause();
    await expect
      .poll(async () => {
        expect(await backlog('ready')).toBe(3);
        return workers.lines.some(({ fields }) => fields['job'] === 'gauges');
      }, patience)
      .toBe(true);
    await workers.postgres.restart();
    open();
    await expect.poll(() => backlog('ready'), patience).toBe(0);
  });
});
