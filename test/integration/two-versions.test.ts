import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { Host } from '../../src/host/host.ts';
import { loadConfiguration } from '../../src/host/load-configuration.ts';
import { Millrace } from '../../src/host/millrace.ts';
import { openColumns, openDatabase, openPayloads, openQueues, type Stores } from '../../src/host/stores.ts';
import { MemoryEventLogDriver } from '../../src/drivers/event-log/event-log.memory.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { migrateColumnStore } from '../../src/drivers/column-store/column-migrator.ts';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import { migrate } from '../../src/drivers/sql-database/migrator.ts';
import { defineMessage, defineStage, type StageContext } from '../../src/millrace.ts';
import type { RegisteredStage } from '../../src/engine/pipeline/stage-registry.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { RedisServer } from '../support/redis-server.ts';
import { canRun, postgresPrograms, redisPrograms } from '../support/required-programs.ts';

/* A schema change while both versions of the code run: "place" emits orders, "pack" consumes them. */

const Asked = defineMessage('order.asked').version(1, z.object({ name: z.string() }));
const nameOnly = z.object({ name: z.string() });
const OldOrder = defineMessage('order.placed').version(1, nameOnly);
const NewOrder = defineMessage('order.placed')
  .version(1, nameOnly)
  .version(2, z.object({ name: z.string(), copies: z.number() }), (old) => ({
    ...old,
    copies: 1,
  }));

/** The stages of one version of the code. */
function stagesOf(accepts: 1 | 2, emits: 1 | 2): readonly RegisteredStage[] {
  const consumes = accepts === 1 ? OldOrder.upTo(1) : NewOrder.upTo(2);
  const place = defineStage('place', {
    consumes: Asked.upTo(1),
    emits: [emits === 1 ? NewOrder.v1 : NewOrder.v2],
  });
  const pack = defineStage('pack', { consumes });
  const handlers = [
    {
      definition: place,
      handler: {
        handle: ({ data }: { data: { name: string } }, ctx: StageContext) => {
          if (emits === 1) ctx.emit(NewOrder.v1, { name: data.name });
          else ctx.emit(NewOrder.v2, { name: data.name, copies: 2 });
        },
      },
    },
    { definition: pack, handler: { handle: ({ data }: { data: object }) => data } },
  ];
  return handlers as unknown as readonly RegisteredStage[];
}

const origin = { team: 'blue', customer: 'acme', feature: 'shop' };

describe.skipIf(!canRun(postgresPrograms()) || !canRun(redisPrograms()))('two versions side by side', () => {
  let postgres: PostgresServer;
  let redis: RedisServer;
  let directory: string;
  let columns: ColumnStore;
  const running = new Set<Host>();

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-versions-'));
    postgres = await PostgresServer.start();
    redis = await RedisServer.start();
    columns = await openColumns(configurationOf(postgres.connectionString));
    await migrateColumnStore(columns);
  });
  afterAll(async () => {
    await Promise.all([...running].map((host) => host.stop()));
    await columns.close();
    await postgres.stop();
    await redis.stop();
    await rm(directory, { recursive: true, force: true });
  });

  /** Another each time: a test may be tried again. The queues are named by its letters. */
  let databases = 0;
  const nameOf = (name: string): string => `${name}${String.fromCodePoint(97 + (databases += 1))}`;

  const configurationOf = (url: string) =>
    loadConfiguration({
      environment: {},
      options: {
        dataDirectory: directory,
        ledger: { url },
        queue: { url: redis.url, prefix: url.slice(-8).replaceAll(/[^a-z]/g, '') },
      },
    });

  /** A process: its own connections, and the one column store that this test's process can have. */
  async function start(
    name: string,
    url: string,
    stages: readonly RegisteredStage[],
    roles: readonly ('api' | 'worker' | 'maintenance')[] = ['api', 'worker', 'maintenance'],
  ): Promise<Host> {
    const configuration = { ...configurationOf(url), roles: [...roles] };
    const database = await openDatabase(configuration, name);
    await migrate(database);
    const payloads = await openPayloads(configuration);
    const queues = await openQueues(configuration);
    const close = async (): Promise<void> => {
      await queues.close();
      await payloads.close();
      await database.close();
    };
    const stores: Stores = {
      database,
      columns,
      queues,
      payloads,
      eventLogs: new MemoryEventLogDriver({ clock: systemClock }),
      isEmbedded: false,
      close,
    };
    const host = await Host.over({ configuration, logger: silentLogger, stores, worker: name });
    await host.start(stages);
    running.add(host);
    return host;
  }

  async function stop(host: Host): Promise<void> {
    running.delete(host);
    await host.stop();
  }

  const admit = async (host: Host, from: number, to: number): Promise<void> => {
    const millrace = new Millrace(host);
    for (let n = from; n < to; n += 1) {
      await millrace.admit(Asked.v1, { name: `order-${n}` }, { origin, id: `order-${n}` });
    }
  };

  const packed = async (host: Host) => {
    const { rows } = await host.stores.database.query<{
      state: string;
      version: number;
      result: string | null;
    }>({
      name: 'test.packed',
      text: `select state, version, result from millrace.messages where stage = 'pack'`,
    });
    return rows.map(({ result, ...row }) => ({
      ...row,
      order: result === null ? undefined : (JSON.parse(result) as { name: string; copies?: number }),
    }));
  };

  it('refuse, lose and double nothing when the consumer is deployed first', async () => {
    const url = await postgres.createLedger(nameOf('consumerfirst'));
    const before = await start('before', url, stagesOf(1, 1));
    await admit(before, 0, 40);
    const consumer = await start('consumer', url, stagesOf(2, 1));
    await admit(before, 40, 80);
    await stop(before);
    const producer = await start('producer', url, stagesOf(2, 2));
    await admit(consumer, 80, 120);
    await stop(consumer);
    await admit(producer, 120, 160);
    await vi.waitFor(
      async () => {
        const rows = await packed(producer);
        expect(rows.filter(({ state }) => state === 'completed')).toHaveLength(160);
      },
      { timeout: 30_000, interval: 100 },
    );
    const rows = await packed(producer);
    expect(rows).toHaveLength(160);
    expect(new Set(rows.map(({ order }) => order?.name)).size).toBe(160);
    // Both versions were on the way, and every new consumer saw the new shape.
    expect(new Set(rows.map(({ version }) => version))).toEqual(new Set([1, 2]));
    expect(rows.filter(({ version, order }) => version === 2 && order?.copies !== 2)).toEqual([]);
    await stop(producer);
  });

  it('wait for the consumer when the producer came first', async () => {
    const url = await postgres.createLedger(nameOf('producerfirst'));
    const old = await start('old', url, stagesOf(1, 1));
    const producer = await start('producer', url, stagesOf(2, 2), ['api']);
    const millrace = new Millrace(producer);
    for (let n = 0; n < 20; n += 1) {
      await millrace.admit(NewOrder.v2, { name: `order-${n}`, copies: 2 }, { origin, id: `order-${n}` });
    }
    const parked = async (): Promise<number> => {
      const { body } = await old.metrics.render();
      return Number(/messages_parked_total\{.*stage="pack",reason="version"\} (\d+)/.exec(body)?.[1] ?? 0);
    };
    await vi.waitFor(async () => expect(await parked()).toBeGreaterThanOrEqual(20), {
      timeout: 20_000,
      interval: 100,
    });
    expect((await packed(old)).filter(({ state }) => state !== 'pending' && state !== 'leased')).toEqual([]);
    const consumer = await start('newer', url, stagesOf(2, 2));
    await vi.waitFor(
      async () => {
        const rows = await packed(consumer);
        expect(rows.filter(({ state }) => state === 'completed')).toHaveLength(20);
      },
      // The old worker may take one again and again, and puts it aside for 5 s each time.
      { timeout: 180_000, interval: 200 },
    );
    await stop(old);
    await stop(producer);
    await stop(consumer);
  }, 300_000);
});
