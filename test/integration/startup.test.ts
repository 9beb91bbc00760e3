import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { ConfigurationInput } from '../../src/host/configuration.ts';
import { Host } from '../../src/host/host.ts';
import { loadConfiguration } from '../../src/host/load-configuration.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { defineMessage, defineStage } from '../../src/millrace.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { RedisServer } from '../support/redis-server.ts';
import { canRun, postgresPrograms, redisPrograms } from '../support/required-programs.ts';

const Anything = defineMessage('anything').version(1, z.unknown());
const careless = defineStage('careless', {
  consumes: Anything.upTo(1),
  models: ['openai/gpt-5-mini', 'openai/gpt-unheard-of', 'nobody/model'],
});
const stage = { definition: careless, handler: { handle: () => Promise.resolve() } } as never;

describe.skipIf(!canRun(postgresPrograms()) || !canRun(redisPrograms()))('a start on servers', () => {
  let postgres: PostgresServer;
  let redis: RedisServer;
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-startup-'));
    postgres = await PostgresServer.start({ settings: { fsync: 'off' } });
    redis = await RedisServer.start({ appendOnly: 'off' });
  });
  afterAll(async () => {
    await postgres.stop();
    await redis.stop();
    await rm(directory, { recursive: true, force: true });
  });

  const open = (startup: ConfigurationInput['startup'], skewMs = 0): Promise<Host> =>
    Host.open({
      configuration: loadConfiguration({
        environment: {},
        options: {
          dataDirectory: directory,
          ledger: { url: postgres.connectionString },
          queue: { url: redis.url },
          models: { openaiApiKey: 'none' },
          startup,
        },
      }),
      logger: silentLogger,
      clock: { ...systemClock, now: () => new Date(Date.now() + skewMs) },
    });

  const refusalOf = async (host: Host): Promise<readonly string[]> => {
    try {
      await host.start([stage]);
      return [];
    } catch (error) {
      const { code, faults } = error as { code: string; faults: readonly { field: string }[] };
      return [code, ...faults.map(({ field }) => field)];
    } finally {
      await host.stop();
    }
  };

  it('is refused while migrations are pending and the start may not apply them', async () => {
    const host = await open({ migrate: false });
    expect(await refusalOf(host)).toEqual([
      'MILLRACE_STARTUP_REFUSED',
      'migrations_pending',
      'ledger_unsafe',
    ]);
  });

  it('is refused with clocks a minute apart, and without fsync', async () => {
    const host = await open({}, -90_000);
    expect(await refusalOf(host)).toEqual([
      'MILLRACE_STARTUP_REFUSED',
      'clocks_apart',
      'clocks_apart',
      'ledger_unsafe',
    ]);
  });

  it('goes on with what is allowed, and says what it found', async () => {
    const host = await open({ allow: ['ledger_unsafe'] });
    expect(await refusalOf(host)).toEqual([]);
    const { body } = await host.metrics.render();
    const found = (code: string): string | undefined =>
      new RegExp(`startup_findings\\{code="${code}"\\} (.*)`).exec(body)?.[1];
    expect(found('ledger_unsafe')).toBe('1');
    expect(found('queue_unsafe')).toBe('1');
    expect(found('stage_without_schema')).toBe('1');
    expect(found('model_unpriced')).toBe('1');
    expect(found('model_unknown')).toBe('1');
    expect(found('clocks_apart')).toBe('0');
  });
});
