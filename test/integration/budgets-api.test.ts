import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfiguration } from '../../src/host/load-configuration.ts';
import { runCommandLine } from '../../src/cli/command-line.ts';
import { type BudgetReport, budgetReportSchema } from '../../src/capabilities/budgets/budget-documents.ts';
import { PgliteSqlDatabase } from '../../src/drivers/sql-database/sql-database.pglite.ts';
import { AppError, type Fault } from '../../src/kernel/app-error.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { BudgetLedger, parkedForBudget } from '../../src/capabilities/budgets/budget-ledger.ts';
import { CallLedger } from '../../src/engine/ledger/call-ledger.ts';
import { reserveOf, settledFor, someBudget } from '../support/budget-fixture.ts';
import { startApi } from './api-application.ts';
import { type ApiFixture, openApiFixture, problemOf, ticketEvent } from './api-fixture.ts';
import { requestTo } from './request-to.ts';

/* Budgets as people meet them: over HTTP, at the terminal, and in the configuration. */

describe('over HTTP', () => {
  let fixture: ApiFixture;
  let app: NestFastifyApplication;
  let calls: CallLedger;
  let key: string;

  beforeAll(async () => {
    fixture = await openApiFixture();
    app = await startApi(fixture.services());
    calls = new CallLedger({ database: fixture.database, clock: systemClock });
    key = await fixture.newKey(['costs:read', 'messages:write']);
  });
  afterAll(async () => {
    await app.close();
    await fixture.close();
  });

  const get = (withKey?: string) =>
    requestTo(app)
      .get('/v1/budgets')
      .set(withKey === undefined ? {} : { authorization: `Bearer ${withKey}` });

  async function report(withKey = key): Promise<BudgetReport> {
    const response = await get(withKey);
    expect(response.statusCode, response.text).toBe(200);
    return budgetReportSchema.strict().parse(response.body);
  }

  const post = (event: unknown, type = 'application/cloudevents+json') =>
    requestTo(app)
      .post('/v1/messages')
      .set({ authorization: `Bearer ${key}`, 'content-type': type })
      .send(JSON.stringify(event));

  it('shows what is spent, reserved and left, to the last decimal, and who waits', async () => {
    await fixture.setBudgets([
      someBudget({ name: 'triage', team: 'support', limitUsd: '10', customer: 'acme', window: 'day' }),
      someBudget({ name: 'all', team: undefined, limitUsd: '100', unpriced: 'allow' }),
    ]);
    const { id } = await reserveOf(calls, '2', ['triage', 'all']);
    await calls.settle(settledFor(id, '1.000000000000000001'));
    await reserveOf(calls, '3', ['triage']);
    const [messageId] = (await post(ticketEvent())).body.messageIds as [string];
    const leased = await fixture.messages.claim({ stage: 'triage', leaseMs: 60_000, about: messageId });
    if (leased.kind !== 'leased') throw new Error(leased.kind);
    const { fencingToken } = leased.message;
    await fixture.messages.park({
      id: messageId,
      fencingToken,
      delayMs: undefined,
      parkedFor: parkedForBudget('triage'),
    });
    const { budgets } = await report();
    expect(budgets.map(({ name }) => name)).toEqual(['all', 'triage']);
    expect(budgets[1]).toMatchObject({
      team: 'support',
      customer: 'acme',
      window: 'day',
      unit: 'usd',
      limit: '10',
      spent: '1.000000000000000001',
      reserved: '3',
      remaining: '5.999999999999999999',
      waitingMessages: 1,
    });
    expect(budgets[0]).toMatchObject({
      spent: '1.000000000000000001',
      waitingMessages: 0,
      unpriced: 'allow',
    });
    expect(budgets[0]).not.toHaveProperty('team');
    expect(budgets.map(({ parents }) => parents)).toEqual([[], ['all']]);
  });

  it('shows a key of one team the budgets of that team alone', async () => {
    const of = async (team: string) =>
      (await report(await fixture.newKey(['costs:read'], team))).budgets.map(({ name }) => name);
    expect(await of('support')).toEqual(['triage']);
    expect(await of('sales')).toEqual([]);
  });

  it('needs a key with the scope of cost reports', async () => {
    expect((await get()).statusCode).toBe(401);
    expect((await get(await fixture.newKey(['messages:write']))).statusCode).toBe(403);
  });

  it('refuses new messages of a used-up budget that refuses, until its window turns, and writes nothing', async () => {
    await fixture.setBudgets([
      someBudget({ name: 'strict', team: 'support', limitUsd: '1', atLimit: 'refuse', window: 'hour' }),
    ]);
    const first = ticketEvent();
    const admitted = await post(first);
    expect(admitted.statusCode).toBe(202);
    const { id } = await reserveOf(calls, '1', ['strict']);
    await calls.settle(settledFor(id, '1'));
    await expect.poll(async () => (await post(ticketEvent())).statusCode).toBe(429);
    // What came before is no new message: its sender is answered as the first time.
    const refusedBefore = fixture.refusedBy.length;
    const again = await post(first);
    expect(again.statusCode).toBe(202);
    expect(again.body).toEqual({ ...(admitted.body as object), outcome: 'duplicate' });
    expect(fixture.refusedBy).toHaveLength(refusedBefore);
    const before = await fixture.countMessages();
    const refused = await post(ticketEvent());
    expect(problemOf(refused)).toMatchObject({ code: 'MILLRACE_BUDGET_EXHAUSTED', retryable: true });
    expect(fixture.refusedBy.slice(refusedBefore)).toEqual(['strict']);
    const retryAfter = Number(refused.headers['retry-after']);
    expect(retryAfter).toBeGreaterThan(0);
    expect(retryAfter).toBeLessThanOrEqual(3600);
    const batch = await post(
      [ticketEvent(), ticketEvent({ originteam: 'sales' })],
      'application/cloudevents-batch+json',
    );
    expect(batch.statusCode).toBe(207);
    expect(await fixture.countMessages()).toBe(before + 1);
    expect((await post(ticketEvent({ originteam: 'sales' }))).statusCode).toBe(202);
  });

  it('admits messages whose budget lets them wait', async () => {
    await fixture.setBudgets([
      someBudget({ name: 'strict', team: 'support', limitUsd: '1', atLimit: 'park' }),
    ]);
    expect((await post(ticketEvent())).statusCode).toBe(202);
  });
});

describe('at the terminal', () => {
  it('shows the same report', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-budgets-command-'));
    try {
      const run = async (...args: readonly string[]): Promise<string> => {
        let text = '';
        const stdout = new Writable({
          write(chunk: Buffer, _encoding, done) {
            text += chunk.toString();
            done();
          },
        });
        const context = { environment: {}, stdout, stderr: process.stderr, clock: systemClock };
        expect(await runCommandLine([...args, '--data', directory], context)).toBe(0);
        return text;
      };
      await run('migrate');
      expect(await run('budgets')).toBe('No budgets.\n');
      const database = await PgliteSqlDatabase.open({ dataDirectory: join(directory, 'ledger') });
      await new BudgetLedger(database).define([someBudget({ limitUsd: '12.5' })]);
      await database.close();
      expect(await run('budgets')).toMatch(
        /^search +team blue +month .* 12\.500000 +0\.000000 +0\.000000 +12\.500000 +(?:0\.000000 +)?0$/m,
      );
      const report = budgetReportSchema.strict().parse(JSON.parse(await run('budgets', '--json')));
      expect(report.budgets[0]).toMatchObject({ name: 'search', limit: '12.5', remaining: '12.5' });
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});

describe('in the configuration', () => {
  function faultsOf(budgets: unknown): readonly Fault[] {
    try {
      loadConfiguration({ environment: {}, options: { budgets } as never });
    } catch (error) {
      if (error instanceof AppError && error.code === 'MILLRACE_CONFIG_INVALID') return error.faults;
      throw error;
    }
    return [];
  }
  const good = { name: 'blue', team: 'blue', window: 'day', limitUsd: '50.00' };

  it('have defaults', () => {
    const { budgets } = loadConfiguration({ environment: {}, options: { budgets: [good] } });
    expect(budgets).toEqual([{ ...good, atLimit: 'park', timeZone: 'UTC', alertAt: [] }]);
  });

  it('are refused with every fault at once', () => {
    const faults = faultsOf([
      { ...good, limitUsd: 50 },
      { ...good, name: 'Not a name', window: 'year' },
      { ...good, limitUsd: '-1', team: 'a\u0007b', colour: 'red' },
      { ...good, limitUsd: '0.00', atLimit: 'stop' },
    ]);
    expect(faults.map(({ field }) => field).toSorted()).toEqual([
      'budgets.0.limitUsd',
      'budgets.1.name',
      'budgets.1.window',
      'budgets.2.colour',
      'budgets.2.limitUsd',
      'budgets.2.team',
      'budgets.3.atLimit',
      'budgets.3.limitUsd',
    ]);
  });

  it.each(['1e3', '1.', '.5', ' 1', '1,5', '0.0000000000000000001', ''])(
    'need a decimal as limit, not "%s"',
    (limitUsd) => {
      expect(faultsOf([{ ...good, limitUsd }])).toHaveLength(1);
    },
  );

  it('have names of their own', () => {
    expect(faultsOf([good, { ...good, team: 'green' }])).toEqual([
      { field: 'budgets.1.name', problem: '"blue" is the name of another budget' },
    ]);
  });
});
