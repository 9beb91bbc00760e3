import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Configuration } from '../../src/host/configuration.ts';
import { Host } from '../../src/host/host.ts';
import { loadConfiguration } from '../../src/host/load-configuration.ts';
import { defineMessage } from '../../src/messages/message-type.ts';
import type { Message } from '../../src/messages/message.ts';
import type { Lane } from '../../src/engine/pipeline/lane.ts';
import { defineStage } from '../../src/engine/pipeline/stage-definition.ts';
import type { RegisteredStage } from '../../src/engine/pipeline/stage-registry.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { ClickHouseHttpServer, serverPassword, serverUser } from '../support/clickhouse-http-server.ts';
import { fillColumnsDirectory } from '../support/migrated-columns.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { RedisServer } from '../support/redis-server.ts';
import { canRun, postgresPrograms, redisPrograms } from '../support/required-programs.ts';

/*
 * Lanes and customers over two worker hosts, on PostgreSQL and Redis. What is asserted is in which order messages were
 * worked on; the times are printed.
 */

const Job = defineMessage('job').version(1, z.object({ n: z.number() }));
const canRunHere = [postgresPrograms(), redisPrograms()].every((program) => canRun(program));

describe.skipIf(!canRunHere)('two workers under a flood', () => {
  const cleanups: (() => Promise<unknown> | void)[] = [];
  let hosts: Host[] = [];
  let postgres: PostgresServer;
  let redis: RedisServer;
  let clickHouse: ClickHouseHttpServer;
  let directory: string;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'millrace-shares-'));
    cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
    postgres = await PostgresServer.start();
    cleanups.push(() => postgres.stop());
    redis = await RedisServer.start();
    cleanups.push(() => redis.stop());
    await fillColumnsDirectory(join(directory, 'clickhouse'));
    clickHouse = new ClickHouseHttpServer(join(directory, 'clickhouse'));
    cleanups.push(() => clickHouse.stop());
    await clickHouse.start();
  });

  afterEach(async () => {
    await Promise.all(hosts.map((host) => host.stop()));
    hosts = [];
  });

  afterAll(async () => {
    for (const cleanup of cleanups.toReversed()) await cleanup();
  });

  async function startHost(
    name: string,
    roles: Configuration['roles'],
    stages: readonly RegisteredStage[],
  ): Promise<Host> {
    const configuration = loadConfiguration({
      environment: {},
      options: {
        dataDirectory: directory,
        ledger: { url: await ledgerOf(name) },
        queue: { url: redis.url, prefix: name },
        columnStore: { url: clickHouse.url, user: serverUser, password: serverPassword },
      },
    });
    const host = await Host.open({ configuration: { ...configuration, roles }, logger: silentLogger });
    hosts.push(host);
    await host.start(stages);
    return host;
  }

  const ledgers = new Map<string, Promise<string>>();
  function ledgerOf(name: string): Promise<string> {
    const known = ledgers.get(name) ?? postgres.createLedger(name);
    ledgers.set(name, known);
    return known;
  }

  it('gives bulk its fifth while interactive is never empty', { timeout: 120_000 }, async () => {
    const stage = defineStage('share', { consumes: Job.upTo(1), concurrency: 8 });
    const done: string[] = [];
    const enough = Promise.withResolvers<void>();
    const counted = 1200;
    const handler = {
      handle: async ({ lane }: Message): Promise<void> => {
        done.push(lane);
        if (done.length === counted) enough.resolve();
        await pause(1);
      },
    };
    const stages = [{ definition: stage as never, handler }];
    const api = await startHost('lanes', ['api', 'maintenance'], stages);
    const admit = (lane: Lane, count: number): Promise<unknown> =>
      Promise.all(
        Array.from({ length: count }, (_, n) =>
          api.admissions.admit(Job.v1, { n }, { lane, origin: { team: 't', customer: 'c', feature: 'f' } }),
        ),
      );
    await Promise.all([admit('bulk', 500), admit('interactive', 1300)]);
    await Promise.all(['a', 'b'].map(() => startHost('lanes', ['worker'], stages)));
    await enough.promise;
    const first = done.slice(0, counted);
    const share = first.filter((lane) => lane === 'bulk').length / counted;
    console.log(
      `bulk got ${(share * 100).toFixed(1)} % of ${counted} messages beside a flood of interactive ones`,
    );
    expect(share).toBeGreaterThan(0.15);
    expect(share).toBeLessThan(0.25);
    // From beginning to end, not only in the sum.
    for (let from = 0; from < counted; from += 200) {
      const part = first.slice(from, from + 200).filter((lane) => lane === 'bulk').length / 200;
      expect(part).toBeGreaterThan(0.12);
      expect(part).toBeLessThan(0.28);
    }
  });

  it(
    'keeps the others’ turn while one customer sends a hundred times as much',
    { timeout: 120_000 },
    async () => {
      const stage = defineStage('turns', { consumes: Job.upTo(1), concurrency: 4 });
      const slots = 8;
      const workMs = 80;
      const begun = new Map<string, { readonly order: number; readonly atMs: number }>();
      const handler = {
        handle: async ({ eventId }: Message): Promise<void> => {
          begun.set(eventId, { order: begun.size, atMs: performance.now() });
          await pause(workMs);
        },
      };
      const stages = [{ definition: stage as never, handler }];
      const api = await startHost('customers', ['api', 'maintenance'], stages);
      await Promise.all(['a', 'b'].map(() => startHost('customers', ['worker'], stages)));
      const admit = async (customer: string, id: string): Promise<void> => {
        await api.admissions.admit(Job.v1, { n: 1 }, { id, origin: { team: 't', customer, feature: 'f' } });
      };
      const others = ['ann', 'bob', 'cyd', 'dee', 'eve'];
      const turns = 12;
      const paceMs = 120;
      /** Each of the others sends a message a turn: how long from sending to the end of the work, and what came between. */
      const measure = async (name: string): Promise<{ readonly ms: number; readonly between: number }[]> => {
        const sent: { readonly id: string; readonly atMs: number; readonly before: number }[] = [];
        for (let turn = 0; turn < turns; turn += 1) {
          for (const customer of others) {
            const id = `${name}-${customer}-${turn}`;
            sent.push({ id, atMs: performance.now(), before: begun.size });
            await admit(customer, id);
          }
          await pause(paceMs);
        }
        await expect.poll(() => sent.every(({ id }) => begun.has(id)), { timeout: 60_000 }).toBe(true);
        return sent.map(({ id, atMs, before }) => {
          const { order = 0, atMs: begunMs = 0 } = begun.get(id) ?? {};
          return { ms: begunMs + workMs - atMs, between: order - before };
        });
      };
      const alone = await measure('alone');
      // A flood at 100 times the rate of each: it fills every slot and leaves a long row behind.
      await Promise.all(Array.from({ length: turns * 100 }, (_, n) => admit('flood', `flood-${n}`)));
      const beside = await measure('beside');
      const floodBegun = [...begun.keys()].filter((id) => id.startsWith('flood')).length;
      const at = (runs: typeof alone, share: number, of: 'ms' | 'between'): number =>
        runs.map((run) => run[of]).toSorted((left, right) => left - right)[
          Math.ceil(runs.length * share) - 1
        ] ?? Number.NaN;
      for (const [name, runs] of [['alone', alone] as const, ['beside the flood', beside] as const]) {
        console.log(
          `${name}: p50 ${at(runs, 0.5, 'ms').toFixed(0)} ms, p95 ${at(runs, 0.95, 'ms').toFixed(0)} ms from admission to the end; ${at(runs, 0.5, 'between')} and ${at(runs, 0.95, 'between')} messages begun between`,
        );
      }
      expect(floodBegun).toBeLessThan(turns * 100 - slots);
      // What is begun before theirs: who holds a token already, and a turn of each customer; never the flood's row.
      expect(at(beside, 0.95, 'between')).toBeLessThanOrEqual(2 * slots + others.length);
    },
  );
});
