import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { BullMqQueueDriver } from '../../src/drivers/queue/queue-driver.bullmq.ts';
import { PostgresSqlDatabase } from '../../src/drivers/sql-database/sql-database.postgres.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { newId } from '../../src/kernel/ids.ts';
import {
  deadLetterListSchema,
  deadLetterSchema,
  discardResultSchema,
  replayResultSchema,
} from '../../src/capabilities/dead-letters/dead-letter-documents.ts';
import { DeadLetterFixture } from '../support/dead-letter-fixture.ts';
import { installationOf } from '../../src/host/command-installation.ts';
import { KeptLedger } from '../support/kept-ledger.ts';
import { newHostDirectory } from '../support/migrated-columns.ts';
import { RedisServer } from '../support/redis-server.ts';
import { canRun, postgresPrograms, redisPrograms } from '../support/required-programs.ts';
import { newLedger } from '../support/shared-postgres.ts';
import { runCommand } from '../support/run-command.ts';

/* `millrace dead-letters` on the stores of an installation, embedded and on servers. */

let directory: string;
let environment: Record<string, string> = {};
let ledger: KeptLedger | undefined;

beforeAll(async () => {
  directory = await newHostDirectory('millrace-dead-letters-command-');
});

afterAll(() => rm(directory, { recursive: true, force: true }));

const run = (...args: readonly string[]) => runCommand([...args, '--data', directory], environment, ledger);

const letters = async (...args: readonly string[]): Promise<string> => {
  const { code, stdout, stderr } = await run('dead-letters', ...args);
  expect(code, stderr).toBe(0);
  return stdout;
};

/** Messages that died after they had paid for a draft, in a ledger with nothing else. */
const die = async (database: SqlDatabase, customers: readonly string[]): Promise<readonly string[]> => {
  const fixture = new DeadLetterFixture(database);
  await fixture.clear();
  const ids: string[] = [];
  for (const customer of customers) {
    const id = await fixture.admit({ origin: { team: 'blue', customer, feature: 'search' } });
    const { fencingToken } = await fixture.lease(id);
    await fixture.pay(id, fencingToken, 'draft', '0.25');
    await fixture.end(id, fencingToken);
    ids.push(id);
  }
  return ids;
};

describe('on embedded stores', () => {
  let ids: readonly string[];
  let kept: KeptLedger;

  beforeAll(async () => {
    expect((await run('migrate')).code).toBe(0);
    kept = new KeptLedger(installationOf({}, { data: directory }));
    ledger = kept;
  });

  afterAll(async () => {
    ledger = undefined;
    await kept.close();
  });

  beforeEach(async () => {
    ids = await die((await kept.access()).database, ['acme', 'initech']);
  });

  it('lists, as a table and as JSON, by filter', async () => {
    const table = await letters('list');
    expect(
      table
        .split('\n')
        .slice(2)
        .map((line) => line.split(/ +/)[0]),
    ).toEqual([ids[1], ids[0], '']);
    expect(table).toMatch(/initech +MILLRACE_STAGE_FAILED +1 +0 +0\.250000/);
    const list = deadLetterListSchema.parse(
      JSON.parse(await letters('list', '--customer', 'acme', '--customer', 'nobody', '--json')),
    );
    expect(list.deadLetters.map(({ id }) => id)).toEqual([ids[0]]);
    expect(await letters('list', '--error-code', 'OTHER')).toContain('There are no such dead letters.');
    expect(await letters('list', '--limit', '1')).toContain('--after ');
  });

  it('shows one, for the eye and as JSON', async () => {
    const text = await letters('show', ids[0] ?? '');
    for (const part of [
      'MILLRACE_STAGE_FAILED',
      'the template has no end',
      'customer acme',
      'draft',
      '0.25',
      '"n": 1',
      'a'.repeat(32),
    ]) {
      expect(text).toContain(part);
    }
    const letter = deadLetterSchema.parse(JSON.parse(await letters('show', ids[0] ?? '', '--json')));
    expect(letter).toMatchObject({ id: ids[0], paidUsd: '0.25', event: { data: { n: 1 } } });
    const unknown = await run('dead-letters', 'show', newId(new Date()));
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toContain('MILLRACE_NOT_FOUND');
  });

  it('shows what a handler or a provider wrote without orders to the terminal', async () => {
    const orders = '\u001b]0;PWNED\u0007\u001b[31mRED\u001b[2J\u009b2J';
    const fixture = new DeadLetterFixture((await kept.access()).database);
    const id = await fixture.admit({ origin: { team: 'blue', customer: 'acme', feature: 'search' } });
    const { fencingToken } = await fixture.lease(id);
    await fixture.end(id, fencingToken, 'MILLRACE_STAGE_FAILED', `bad ${orders}`);
    const shown = String.raw`bad \x1b]0;PWNED\x07\x1b[31mRED\x1b[2J\u009b2J`;
    expect(await letters('show', id)).toContain(shown);
    const { stdout } = await run('messages', 'show', id);
    const json = await letters('show', id, '--json');
    expect(deadLetterSchema.parse(JSON.parse(json)).failures[0]?.detail).toMatchObject({
      chain: [{ message: `bad ${orders}` }],
    });
    for (const text of [stdout, await letters('list'), await letters('show', id), json]) {
      expect(text).not.toMatch(/[^\P{Cc}\n\t]/u);
    }
  });

  it('tells with a dry run what a replay would do, and changes nothing', async () => {
    const before = await letters('list', '--json');
    expect(await letters('replay', '--all', '--dry-run')).toMatch(
      /first +platform +2 +2 +0\.500000 +unknown[^]*2 messages would be replayed; nothing was changed/,
    );
    const plan = replayResultSchema.parse(
      JSON.parse(await letters('replay', ids[0] ?? '', '--dry-run', '--json')),
    );
    expect(plan).toMatchObject({ dryRun: true, count: 1, reusableSteps: 1, paidUsd: '0.25' });
    expect(await letters('list', '--json')).toBe(before);
  });

  it('replays and discards with a reason, and both are kept with their actor', async () => {
    const replayed = replayResultSchema.parse(
      JSON.parse(
        await letters(
          'replay',
          '--customer',
          'acme',
          '--reason',
          'mended',
          '--actor',
          'ann',
          '--rate',
          '5',
          '--json',
        ),
      ),
    );
    expect(replayed).toMatchObject({ dryRun: false, count: 1 });
    expect(await letters('discard', ids[1] ?? '', '--reason', 'a test')).toMatch(
      /1 message was discarded\. Audit record: /,
    );
    expect(await letters('list')).toContain('There are no such dead letters.');
    const lives = deadLetterSchema.parse(JSON.parse(await letters('show', ids[0] ?? '', '--json')));
    expect(lives).toMatchObject({
      state: 'pending',
      actions: [{ actor: 'cli:ann', action: 'dead_letters.replay', reason: 'mended' }],
    });
    const lies = deadLetterListSchema.parse(
      JSON.parse(await letters('list', '--discarded', 'only', '--json')),
    );
    expect(lies.deadLetters).toMatchObject([
      { id: ids[1], discarded: { by: expect.stringMatching(/^cli:./) } },
    ]);
    const nothing = discardResultSchema.parse(
      JSON.parse(await letters('discard', '--all', '--reason', 'x', '--json')),
    );
    expect(nothing).toEqual({ count: 0, hasMore: false, stages: [] });
  });

  it('refuses to act on nothing in particular, without a reason, or on what it cannot read', async () => {
    for (const [args, fault] of [
      [['replay', '--reason', 'x'], '<ids>:'],
      [['replay', '--all'], '--reason:'],
      [['discard', '--all'], '--reason:'],
      [['replay', '--all', '--dry-run', '--max', '0'], 'It is a whole number from 1 to 10000.'],
      [['replay', '--all', '--dry-run', '--rate', 'fast'], 'It is a number in decimal digits.'],
      [['discard', 'x', '--reason', 'x'], '<ids>:'],
      [['list', '--from', 'yesterday'], '--from:'],
      [['list', '--stage', ''], 'It is empty'],
      [['replay', '--team', '', '--dry-run'], 'It is empty'],
    ] as const) {
      const { code, stdout, stderr } = await run('dead-letters', ...args);
      expect(code, args.join(' ')).toBe(2);
      expect(stderr).toContain(fault);
      expect(stdout).toBe('');
    }
    expect(deadLetterListSchema.parse(JSON.parse(await letters('list', '--json'))).deadLetters).toHaveLength(
      2,
    );
  });
});

describe.skipIf(!canRun(postgresPrograms()) || !canRun(redisPrograms()))('on PostgreSQL and Redis', () => {
  let redis: RedisServer;
  let database: SqlDatabase;

  beforeAll(async () => {
    redis = await RedisServer.start();
    const url = await newLedger();
    environment = { MILLRACE_POSTGRES_URL: url, MILLRACE_QUEUE_URL: redis.url };
    expect((await run('migrate')).code).toBe(0);
    database = await PostgresSqlDatabase.open({
      connectionString: url,
      poolSize: 2,
      statementTimeoutMs: 10_000,
      applicationName: 'dead-letters-command',
    });
  });

  afterAll(async () => {
    environment = {};
    await database.close();
    await redis.stop();
  });

  const jobs = async () => {
    const queues = await BullMqQueueDriver.open({ prefix: 'millrace', url: redis.url });
    try {
      return await queues.queue('first').counts();
    } finally {
      await queues.close();
    }
  };

  it('notifies the stage of what it replays, and tells nobody of a dry run', async () => {
    await die(database, ['acme', 'initech', 'hooli']);
    await letters('replay', '--all', '--dry-run');
    expect(await jobs()).toMatchObject({ waiting: 0, delayed: 0 });
    await letters('replay', '--customer', 'acme', '--reason', 'mended');
    expect(await jobs()).toMatchObject({ waiting: 1, delayed: 0 });
    await letters('replay', '--all', '--rate', '0.01', '--reason', 'mended');
    expect(await jobs()).toMatchObject({ waiting: 1, delayed: 1 });
  });

  it('changes nothing when the queue cannot be reached', async () => {
    const ids = await die(database, ['acme']);
    await redis.kill();
    const { code, stderr } = await run('dead-letters', 'replay', '--all', '--reason', 'mended');
    expect(code).toBe(1);
    expect(stderr).toContain('MILLRACE_QUEUE_UNAVAILABLE');
    const list = deadLetterListSchema.parse(JSON.parse(await letters('list', '--json')));
    expect(list.deadLetters.map(({ id }) => id)).toEqual(ids);
  });
});
