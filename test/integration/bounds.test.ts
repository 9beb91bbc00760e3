import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineMessage, defineStage } from '../../src/millrace.ts';
import type { RegisteredStage } from '../../src/engine/pipeline/stage-registry.ts';
import { closedNames } from '../../src/host/closed-names.ts';
import { canRun, postgresPrograms, redisPrograms } from '../support/required-programs.ts';
import { startWorkerHosts, type WorkerHosts } from '../support/worker-hosts.ts';

const Thing = defineMessage('thing.happened').version(1, z.object({ n: z.number() }));
const definition = defineStage('work', { consumes: Thing.upTo(1), concurrency: 2 });
const origin = { team: 'blue', customer: 'acme', feature: 'search' };
const canRunHere = [postgresPrograms(), redisPrograms()].every((programs) => canRun(programs));

/** Registered by the HTTP server, which these hosts do not have. */
const boundsOfTheApi = new Set<string>(['http_requests', 'http_body_bytes', 'http_turns']);

describe.skipIf(!canRunHere)('bounds of a host', { timeout: 60_000 }, () => {
  let workers: WorkerHosts | undefined;
  afterEach(() => workers?.close());

  it('shows how near each one is', async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    let begun = 0;
    const handle = async (): Promise<void> => {
      begun += 1;
      await gate;
    };
    // Nobody exports: the record of each message's end waits.
    workers = await startWorkerHosts(1, [{ definition, handler: { handle } } as RegisteredStage], {
      exporter: { pendingRecordsBound: 10 },
    });
    const [host] = workers.hosts;
    if (host === undefined) throw new Error('a host was started');
    const ratios = async (): Promise<Map<string, number>> => {
      const { body } = await host.metrics.render();
      const lines = body.matchAll(/^millrace_bound_used_ratio\{bound="(\w+)"\} (\S+)$/gm);
      return new Map([...lines].map(([, bound = '', value]) => [bound, Number(value)]));
    };
    const patience = { timeout: 20_000, interval: 50 };
    await Promise.all([1, 2, 3, 4, 5].map((n) => host.admissions.admit(Thing.v1, { n }, { origin })));
    await expect.poll(() => begun, patience).toBe(2);
    await expect.poll(async () => (await ratios()).get('worker_slots'), patience).toBe(1);
    await expect
      .poll(async () => [...(await ratios()).keys()].toSorted(), patience)
      .toEqual(closedNames.bounds.filter((name) => !boundsOfTheApi.has(name)).toSorted());
    for (const [bound, ratio] of await ratios()) {
      expect(ratio, bound).toBeGreaterThanOrEqual(0);
      expect(ratio, bound).toBeLessThanOrEqual(1);
    }
    expect((await ratios()).get('metric_series')).toBeGreaterThan(0);
    expect((await ratios()).get('outbox')).toBe(0);
    open();
    await expect.poll(async () => (await ratios()).get('outbox'), patience).toBe(0.5);
    await expect.poll(async () => (await ratios()).get('worker_slots'), patience).toBe(0);
  });
});
