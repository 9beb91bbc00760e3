import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { Host } from '../../src/host/host.ts';
import { loadConfiguration } from '../../src/host/load-configuration.ts';
import { CostReports } from '../../src/capabilities/costs/cost-reports.ts';
import { parseCostParameters } from '../../src/capabilities/costs/cost-parameters.ts';
import { defineMessage, defineStage } from '../../src/millrace.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { ClickHouseHttpServer, serverPassword, serverUser } from '../support/clickhouse-http-server.ts';
import { RedisServer } from '../support/redis-server.ts';
import { canRun, postgresPrograms, redisPrograms } from '../support/required-programs.ts';
import { newLedger } from '../support/shared-postgres.ts';

/* ClickHouse is away when processes start: nothing listens on its port. */

const Ticket = defineMessage('ticket').version(1, z.strictObject({ subject: z.string() }));
const origin = { team: 'support', customer: 'acme', feature: 'triage' };

describe.skipIf(!canRun(postgresPrograms()) || !canRun(redisPrograms()))('a start without ClickHouse', () => {
  let ledgerUrl: string;
  let redis: RedisServer;
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-away-'));
    ledgerUrl = await newLedger();
    redis = await RedisServer.start({ appendOnly: 'always' });
  });
  afterAll(async () => {
    await redis.stop();
    await rm(directory, { recursive: true, force: true });
  });

  const start = async (
    roles: ('api' | 'worker' | 'maintenance')[],
    handle: () => void,
    migrate = true,
    // Port 9 is "discard": nobody listens there.
    columnStore: { url: string; user?: string; password?: string } = { url: 'http://127.0.0.1:9' },
  ) => {
    const host = await Host.open({
      configuration: loadConfiguration({
        environment: {},
        options: {
          roles,
          dataDirectory: directory,
          ledger: { url: ledgerUrl },
          queue: { url: redis.url },
          columnStore,
          exporter: { intervalMs: 50 },
          startup: { migrate, allow: ['ledger_unsafe', 'queue_unsafe'] },
        },
      }),
      logger: silentLogger,
    });
    const definition = defineStage('triage', { consumes: Ticket.upTo(1) });
    await host.start([{ definition, handler: { handle } } as never]);
    return host;
  };

  it('takes ClickHouse up when it comes back: exports and reports go on without a restart', async () => {
    const clickHouse = new ClickHouseHttpServer(join(directory, 'usage'));
    // It has a port, and is away.
    await clickHouse.start();
    await clickHouse.kill();
    const handled = Promise.withResolvers<void>();
    const host = await start(['api', 'worker', 'maintenance'], () => handled.resolve(), true, {
      url: clickHouse.url,
      user: serverUser,
      password: serverPassword,
    });
    try {
      await host.admissions.admit(Ticket.v1, { subject: 'help' }, { origin });
      await handled.promise;
      const reports = new CostReports({ store: host.stores.columns });
      const report = () => reports.report(parseCostParameters({}, new Date()), {});
      await expect(report()).rejects.toMatchObject({ code: 'MILLRACE_COLUMN_STORE_UNAVAILABLE' });
      const patience = { timeout: 30_000, interval: 50 };
      await vi.waitFor(async () => expect((await host.exports.backlog()).records).toBe(1), patience);
      await expect(host.stores.columns.ping()).rejects.toThrow('ClickHouse did not answer');
      await clickHouse.start();
      await vi.waitFor(async () => expect((await host.exports.backlog()).records).toBe(0), patience);
      const ended = await host.stores.columns.query(
        'SELECT outcome FROM millrace.message_outcomes WHERE stage = {stage:String}',
        { stage: 'triage' },
      );
      expect(ended).toEqual([{ outcome: 'completed' }]);
      await expect(report()).resolves.toMatchObject({ totals: { calls: 0, costUsd: '0' } });
    } finally {
      await host.stop();
      await clickHouse.stop();
    }
  });

  it.each([true, false])('keeps no role from its other work (migrating at start: %s)', async (migrate) => {
    const handled = Promise.withResolvers<void>();
    const maintenance = await start(['maintenance'], () => undefined, migrate);
    const worker = await start(['worker'], () => handled.resolve(), migrate);
    const api = await start(['api'], () => undefined, migrate);
    try {
      await api.admissions.admit(Ticket.v1, { subject: 'help' }, { origin });
      await handled.promise;
      const reports = new CostReports({ store: api.stores.columns });
      const asked = reports.report(parseCostParameters({}, new Date()), {});
      await expect(asked).rejects.toMatchObject({
        code: 'MILLRACE_COLUMN_STORE_UNAVAILABLE',
        status: 503,
        retryable: true,
      });
    } finally {
      for (const host of [api, worker, maintenance]) await host.stop();
    }
  });
});
