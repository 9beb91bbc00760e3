import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BullMqQueueDriver } from '../../src/drivers/queue/queue-driver.bullmq.ts';
import { PostgresSqlDatabase } from '../../src/drivers/sql-database/sql-database.postgres.ts';
import { formatUsd, usd } from '../../src/kernel/money.ts';
import { packageRoot } from '../../src/kernel/package-root.ts';
import { ScriptedModel } from '../../src/testing/scripted-model.ts';
import { stateOf } from '../support/budget-fixture.ts';
import { PgbouncerServer, type PgbouncerServerOptions } from '../support/pgbouncer-server.ts';
import { canRun, pgbouncerPrograms, postgresPrograms, redisPrograms } from '../support/required-programs.ts';
import { SeveralHosts } from '../support/several-hosts.ts';
import { counted } from '../support/counted.ts';
import { TicketOpened, ticketStage } from '../support/ticket-stage.ts';
import { BudgetWatch } from '../../src/capabilities/budgets/budget-watch.ts';

const stage = ticketStage(4);
const origin = { team: 'blue', customer: 'acme', feature: 'triage' };
const messages = 60;
const costUsd = usd('0.0002025');

/** What pgbouncer is told so that start-up parameters do not fail, and are dropped. */
const dropsParameters = { ignore_startup_parameters: 'options,statement_timeout,extra_float_digits' };
/** What docs/deploys.md tells an operator to give the role. */
const roleSettings = [
  ...readFileSync(join(packageRoot(), 'docs', 'deploys.md'), 'utf8').matchAll(
    /^alter role millrace set (.*?);/gm,
  ),
].map(([, setting]) => setting ?? '');

const programs = [pgbouncerPrograms(), postgresPrograms(), redisPrograms()];

describe.skipIf(!programs.every((program) => canRun(program)))('a pooler before PostgreSQL', () => {
  let hosts: SeveralHosts;
  const poolers: PgbouncerServer[] = [];
  beforeAll(async () => {
    hosts = await SeveralHosts.begin();
  });
  afterEach(async () => {
    await hosts.stopHosts();
    for (const pooler of poolers.splice(0)) await pooler.stop();
  });
  afterAll(() => hosts.end());

  const open = (connectionString: string, isPooled = false): Promise<PostgresSqlDatabase> =>
    PostgresSqlDatabase.open({
      connectionString,
      poolSize: 4,
      statementTimeoutMs: 15_000,
      applicationName: 'test',
      isPooled,
    });

  /** A database, with or without what the role needs, and its URL through a pooler. */
  async function pooledDatabase(
    name: string,
    hasSettings: boolean,
    options: Omit<PgbouncerServerOptions, 'serverUrl'>,
  ): Promise<string> {
    const direct = await open(await hosts.newLedger(name));
    if (hasSettings) {
      expect(roleSettings).toHaveLength(10);
      for (const setting of roleSettings) {
        await direct.execute(`alter role postgres in database ${name} set ${setting}`);
      }
    }
    await direct.close();
    const pooler = await PgbouncerServer.start({ serverUrl: hosts.postgresUrl, ...options });
    poolers.push(pooler);
    return pooler.urlOf(name);
  }

  const openQueue = (url: string): Promise<BullMqQueueDriver> =>
    BullMqQueueDriver.open({ url, prefix: 'test' });

  it('that takes no start-up parameters is refused, for the ledger and for queues', async () => {
    const url = await pooledDatabase('plain', false, { poolMode: 'transaction' });
    await expect(open(url)).rejects.toMatchObject({ code: 'MILLRACE_DATABASE_POOLED', retryable: false });
    await expect(openQueue(url)).rejects.toMatchObject({ code: 'MILLRACE_DATABASE_POOLED' });
  });

  it('in transaction mode is refused even where the role has every setting', async () => {
    const url = await pooledDatabase('hidden', true, { poolMode: 'transaction', settings: dropsParameters });
    await expect(open(url)).rejects.toMatchObject({
      code: 'MILLRACE_DATABASE_POOLED',
      message: expect.stringContaining('ledger.pooled') as unknown,
    });
    await expect(openQueue(url)).rejects.toMatchObject({
      code: 'MILLRACE_DATABASE_POOLED',
      message: expect.stringContaining('queue.url') as unknown,
    });
  });

  it.each([
    ['of one session', { default_pool_size: '1' }],
    ['that resets sessions', { server_reset_query_always: '1' }],
    ['that uses its sessions in turn', { server_round_robin: '1' }],
  ])('in transaction mode %s is refused too', async (_, settings) => {
    const name = `hidden_${Object.keys(settings)[0] ?? ''}`;
    const url = await pooledDatabase(name, true, {
      poolMode: 'transaction',
      settings: { ...dropsParameters, ...settings },
    });
    await expect(open(url)).rejects.toMatchObject({ code: 'MILLRACE_DATABASE_POOLED' });
  });

  it('in session mode works where the role has every setting, and is refused where not', async () => {
    const options = {
      poolMode: 'session',
      settings: { ...dropsParameters, default_pool_size: '10' },
    } as const;
    const database = await open(await pooledDatabase('session', true, options));
    const one = { name: 'test.one', text: 'select 1 as one' };
    for (let n = 0; n < 3; n += 1) {
      const found = await Promise.all([1, 2, 3, 4].map(() => database.query(one)));
      expect(found.map(({ rows }) => rows)).toEqual(Array.from({ length: 4 }, () => [{ one: 1 }]));
    }
    await database.close();
    const queue = await openQueue(poolers[0]?.urlOf('session') ?? '');
    await queue.close();
    await expect(open(await pooledDatabase('session_bare', false, options))).rejects.toMatchObject({
      message: expect.stringContaining('pgbouncer') as unknown,
    });
  });

  it('that is named as one is refused while the role lacks a setting, which is named', async () => {
    const url = await pooledDatabase('named', false, { poolMode: 'transaction' });
    await expect(open(url, true)).rejects.toMatchObject({
      code: 'MILLRACE_DATABASE_POOLED',
      message: expect.stringMatching(/jit = 'off'.*statement_timeout = '15000'.*alter role/) as unknown,
    });
  });

  it('that is named as one carries hosts, their budgets and their migrations', async () => {
    const url = await pooledDatabase('carried', true, { poolMode: 'transaction' });
    const model = new ScriptedModel(
      () => ({ text: 'Answered.', usage: { uncachedInput: 10, textOutput: 100 } }),
      'gpt-5-mini',
    );
    const start = () =>
      hosts.start(url, {
        stages: [stage],
        modelProviders: { openai: { kind: 'custom', model: () => model } },
        config: {
          ledger: { pooled: true },
          budgets: [{ name: 'blue', team: 'blue', window: 'month', limitUsd: '1' }],
        },
      });
    const first = await start();
    await start();
    await Promise.all(
      Array.from({ length: messages }, (_, n) =>
        first.admissions.admit(TicketOpened.v1, { subject: `Ticket ${n}` }, { origin }),
      ),
    );
    const completed = () => counted(first.stores.database, 'completed');
    await expect.poll(completed, { timeout: 60_000, interval: 50 }).toBe(messages);
    expect(model.requests).toHaveLength(messages);
    const { ledger } = first.service(BudgetWatch);
    expect(await ledger.findFaults()).toEqual([]);
    expect(formatUsd((await stateOf(ledger, 'blue')).spent)).toBe(formatUsd(costUsd.times(messages)));
  }, 120_000);
});
