import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { Host } from '../../src/host/host.ts';
import { loadConfiguration } from '../../src/host/load-configuration.ts';
import { openStores } from '../../src/host/stores.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { defineMessage } from '../../src/messages/message-type.ts';
import { defineStage } from '../../src/engine/pipeline/stage-definition.ts';
import type { RegisteredStage } from '../../src/engine/pipeline/stage-registry.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { DeadLetterService } from '../../src/capabilities/dead-letters/dead-letter-service.ts';
import { newHostDirectory } from '../support/migrated-columns.ts';

/* A handler that outlasts its lease and then goes on, as one that keeps the event loop to itself for too long. */

const Work = defineMessage('work').version(1, z.object({ hogs: z.boolean() }));
const work = defineStage('work', { consumes: Work.upTo(1), maxExpiredLeases: 2 });

let directory: string;
let host: Host;
let passedMs = 0;
let runs = 0;

const stages = [
  {
    definition: work,
    handler: {
      handle: ({ data }: { data: { hogs: boolean } }) => {
        if (!data.hogs) return 'done';
        runs += 1;
        // By this process's clock, which counts its own leases.
        passedMs += 60_000;
        return 'too late';
      },
    },
  },
] as unknown as readonly RegisteredStage[];

beforeAll(async () => {
  directory = await newHostDirectory('millrace-lost-runs-');
  const configuration = loadConfiguration({ environment: {}, options: { dataDirectory: directory } });
  host = await Host.over({
    configuration,
    logger: silentLogger,
    stores: await openStores(configuration, 'hogged'),
    clock: { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + passedMs },
  });
  await host.start(stages);
});

afterAll(async () => {
  await host.stop();
  await rm(directory, { recursive: true, force: true });
});

it('counts a run that outlasted its lease as lost, though the worker itself gives it back', async () => {
  const origin = { team: 'blue', customer: 'acme', feature: 'shop' };
  const { messageIds } = await host.admissions.admit(Work.v1, { hogs: true }, { origin });
  await host.admissions.admit(Work.v1, { hogs: false }, { origin });
  const { database } = host.stores;
  const states = async () =>
    (
      await database.query<{ state: string; error_code: string | null; expired_leases: number }>({
        name: 'test.states',
        text: `select state, error_code, expired_leases from millrace.messages order by state desc`,
      })
    ).rows;
  await expect.poll(states, { timeout: 40_000, interval: 100 }).toEqual([
    { state: 'dead_lettered', error_code: 'MILLRACE_MESSAGE_STALLED', expired_leases: 2 },
    { state: 'completed', error_code: null, expired_leases: 0 },
  ]);
  expect(runs).toBe(2);
  const letter = await host.service(DeadLetterService).show(messageIds[0] ?? '', {});
  expect(letter?.failures.map(({ code }) => code)).toEqual([
    'MILLRACE_LEASE_EXPIRED',
    'MILLRACE_LEASE_EXPIRED',
    'MILLRACE_MESSAGE_STALLED',
  ]);
});
