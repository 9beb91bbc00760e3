import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  budgetDetailSchema,
  budgetReportSchema,
  budgetSchema,
} from '../../src/capabilities/budgets/budget-documents.ts';
import { someBudget } from '../support/budget-fixture.ts';
import { startApi } from './api-application.ts';
import { type ApiFixture, openApiFixture, problemOf } from './api-fixture.ts';
import { requestTo } from './request-to.ts';

/* Budgets over HTTP: what may be set, raised, reset and removed, by whom, and what is refused. */

let fixture: ApiFixture;
let app: NestFastifyApplication;
const keys = { operate: '', read: '', bound: '', boundReader: '' };

beforeAll(async () => {
  fixture = await openApiFixture();
  keys.operate = await fixture.newKey(['operations:write', 'costs:read']);
  keys.read = await fixture.newKey(['costs:read']);
  keys.bound = await fixture.newKey(['operations:write', 'costs:read'], 'support');
  keys.boundReader = await fixture.newKey(['costs:read'], 'sales');
  app = await startApi(fixture.services());
});
afterAll(async () => {
  await app.close();
  await fixture.close();
});
afterEach(() =>
  fixture.database.execute('truncate millrace.quotas, millrace.quota_windows, millrace.operator_actions'),
);

const send = (method: 'get' | 'put' | 'delete', path: string, body?: object, key = keys.operate) => {
  const request = requestTo(app)[method](`/v1/budgets${path}`);
  if (key !== '') void request.set('authorization', `Bearer ${key}`);
  return method === 'put' ? request.send(body) : request.query({ ...body });
};
async function put(path: string, body: object) {
  const response = await send('put', path, { reason: 'a plan', ...body });
  expect(response.statusCode, response.text).toBe(200);
  return budgetSchema.strict().parse(response.body);
}
async function show(name: string, key = keys.read) {
  const response = await send('get', `/${name}`, undefined, key);
  expect(response.statusCode, response.text).toBe(200);
  return budgetDetailSchema.strict().parse(response.body);
}

const good = { team: 'support', window: 'day', limitUsd: '5' };

describe('a budget', () => {
  it('is set with everything that it can say, shown with its parents, and removed', async () => {
    await put('/all', { window: 'month', limitUsd: '100' });
    await put('/support', { ...good, timeZone: 'Europe/Berlin' });
    const set = await put('/nightly', {
      team: 'support',
      customer: 'acme',
      batch: 'night',
      pipeline: 'docs',
      model: 'openai/*',
      window: '24h',
      limitTokens: '2000000',
      atLimit: { switchTo: 'openai/gpt-5-nano' },
      alertAt: [50, 80, 100],
    });
    expect(set).toMatchObject({
      name: 'nightly',
      source: 'operator',
      batch: 'night',
      pipeline: 'docs',
      model: 'openai/*',
      parents: ['support'],
      window: '24h',
      unit: 'tokens',
      limit: '2000000',
      remaining: '2000000',
      atLimit: { switchTo: 'openai/gpt-5-nano' },
      unpriced: 'allow',
      alertAt: [50, 80, 100],
    });
    const { budgets } = budgetReportSchema.strict().parse((await send('get', '')).body);
    expect(budgets.map(({ name, parents }) => [name, parents])).toEqual([
      ['all', []],
      ['nightly', ['support']],
      ['support', ['all']],
    ]);
    const zone = await show('support');
    expect(zone).toMatchObject({ timeZone: 'Europe/Berlin', unpriced: 'refuse', atLimit: 'park' });
    expect(zone.windowEndsAt).toMatch(/T2[23]:00:00\.000Z$/);
    const gone = await send('delete', '/nightly', { reason: 'the project has ended' });
    expect([gone.statusCode, gone.text]).toEqual([204, '']);
    expect(problemOf(await send('get', '/nightly')).code).toBe('MILLRACE_NOT_FOUND');
    expect(problemOf(await send('delete', '/nightly', { reason: 'again' })).code).toBe('MILLRACE_NOT_FOUND');
  });

  it('is raised and reset, and says who did it, when, from what, to what and why', async () => {
    await fixture.setBudgets([someBudget({ name: 'plan', team: 'support', limitUsd: '10' })]);
    expect(await put('/plan/limit', { limitUsd: '25.5', reason: 'more customers' })).toMatchObject({
      limit: '25.5',
      configuredLimit: '10',
      source: 'configuration',
    });
    const reset = await send('delete', '/plan/limit', { reason: 'back to the plan' });
    expect(reset.statusCode).toBe(200);
    expect(reset.body).not.toHaveProperty('configuredLimit');
    const { changes } = await show('plan');
    const by = expect.stringMatching(/^key:test:[0-9a-f-]{36}$/);
    expect(changes).toEqual([
      {
        at: expect.any(String),
        actor: by,
        action: 'budgets.reset',
        change: 'changed',
        fields: { limitUsd: { from: '25.5', to: '10' } },
        reason: 'back to the plan',
      },
      {
        at: expect.any(String),
        actor: by,
        action: 'budgets.limit',
        change: 'changed',
        fields: { limitUsd: { from: '10', to: '25.5' } },
        reason: 'more customers',
      },
    ]);
    const again = await send('delete', '/plan/limit', { reason: 'again' });
    expect(problemOf(again)).toMatchObject({ code: 'MILLRACE_NOT_FOUND' });
  });

  it('of the configuration is not set or removed here', async () => {
    await fixture.setBudgets([someBudget({ name: 'plan' })]);
    for (const response of [
      await send('put', '/plan', { ...good, reason: 'mine' }),
      await send('delete', '/plan', { reason: 'away' }),
    ]) {
      expect(response.statusCode).toBe(409);
      expect(problemOf(response).code).toBe('MILLRACE_BUDGET_CONFIGURED');
    }
  });

  it('keeps its unit', async () => {
    await put('/mine', good);
    const other = await send('put', '/mine', {
      team: 'support',
      window: 'day',
      limitTokens: '5',
      reason: 'r',
    });
    expect(problemOf(other).code).toBe('MILLRACE_REQUEST_INVALID');
    const wrong = await send('put', '/mine/limit', { limitTokens: '5', reason: 'r' });
    expect(problemOf(wrong).detail).toContain('counts dollars');
    expect((await show('mine')).limit).toBe('5');
  });
});

describe('it is refused', () => {
  it('without a key, without the scope, and with a key of a team', async () => {
    await put('/mine', good);
    const acts = [
      ['put', '/mine', { ...good, reason: 'r' }],
      ['put', '/mine/limit', { limitUsd: '9', reason: 'r' }],
      ['delete', '/mine/limit', { reason: 'r' }],
      ['delete', '/mine', { reason: 'r' }],
    ] as const;
    for (const [method, path, body] of acts) {
      expect((await send(method, path, body, '')).statusCode, `${method} ${path}`).toBe(401);
      expect((await send(method, path, body, keys.read)).statusCode, `${method} ${path}`).toBe(403);
      const bound = await send(method, path, body, keys.bound);
      expect([bound.statusCode, problemOf(bound).code]).toEqual([403, 'MILLRACE_FORBIDDEN']);
    }
    expect((await send('get', '/mine', undefined, '')).statusCode).toBe(401);
    const operator = await fixture.newKey(['operations:write']);
    expect((await send('get', '/mine', undefined, operator)).statusCode).toBe(403);
    // What belongs to another team is not there.
    expect((await send('get', '/mine', undefined, keys.boundReader)).statusCode).toBe(404);
    expect((await show('mine', keys.bound)).limit).toBe('5');
  });

  it('in every wrong form, and changes nothing', async () => {
    const wrong: readonly object[] = [
      {},
      { ...good, limitUsd: 5 },
      { ...good, limitUsd: '0' },
      { ...good, limitUsd: '-1' },
      { ...good, limitUsd: '1e9' },
      { ...good, limitUsd: '9'.repeat(16) },
      { ...good, limitTokens: '5' },
      { window: 'day' },
      { window: 'day', limitTokens: '1.5' },
      { window: 'day', limitTokens: '9'.repeat(19) },
      { ...good, window: 'year' },
      { ...good, window: '0h' },
      { ...good, window: '31d' },
      { ...good, window: '999999999999h' },
      { ...good, timeZone: 'Mars/Olympus' },
      { ...good, timeZone: '+02:00' },
      { ...good, timeZone: "UTC'; drop table millrace.quotas; --" },
      { ...good, atLimit: 'stop' },
      { ...good, atLimit: { switchTo: 'nano' } },
      { ...good, atLimit: { switchTo: 'openai/*' } },
      { ...good, atLimit: { switchTo: 'openai/gpt-5-nano', more: 1 } },
      { ...good, model: 'openai/gpt-5', atLimit: 'refuse' },
      { ...good, model: 'openai/gpt-5', atLimit: { switchTo: 'openai/gpt-5' } },
      { ...good, model: `openai/${'m'.repeat(600)}` },
      { ...good, alertAt: [80, 50] },
      { ...good, alertAt: [0] },
      { ...good, alertAt: [1.5] },
      { ...good, alertAt: Array.from({ length: 11 }, (_, n) => n + 1) },
      { ...good, team: 'a\u0000b' },
      { ...good, team: 't'.repeat(129) },
      { ...good, labels: { a: 'b' } },
      { ...good, reason: '' },
      { ...good, reason: 'r'.repeat(1001) },
      { ...good, reason: 'a\u0000b' },
    ];
    for (const body of wrong) {
      const response = await send('put', '/mine', { reason: 'r', ...body });
      expect([response.statusCode, problemOf(response).code], JSON.stringify(body)).toEqual([
        400,
        'MILLRACE_REQUEST_INVALID',
      ]);
    }
    for (const name of ['Mine', 'a%20b', 'a%2Fb', '%2e%2e', 'n'.repeat(64), '%00']) {
      const response = await send('put', `/${name}`, { ...good, reason: 'r' });
      expect([400, 404], `${name}: ${response.statusCode}`).toContain(response.statusCode);
    }
    for (const body of [
      {},
      { limitUsd: '1', limitTokens: '1' },
      { limitUsd: 'NaN' },
      { limitUsd: '1', x: 1 },
    ]) {
      const response = await send('put', '/mine/limit', { reason: 'r', ...body });
      expect(response.statusCode, JSON.stringify(body)).toBe(400);
    }
    expect((await send('put', '/mine/limit', { limitUsd: '1', reason: 'r' })).statusCode).toBe(404);
    expect((await send('delete', '/mine')).statusCode).toBe(400);
    expect((await send('get', '')).body).toEqual({ budgets: [] });
    const { rows } = await fixture.database.query({
      name: 'test.audit',
      text: `select from millrace.operator_actions where action like 'budgets.%'`,
    });
    expect(rows).toEqual([]);
  });

  it('when there are too many', async () => {
    await fixture.setBudgets(Array.from({ length: 200 }, (_, n) => someBudget({ name: `b${n}` })));
    const response = await send('put', '/mine', { ...good, reason: 'one more' });
    expect(problemOf(response)).toMatchObject({ code: 'MILLRACE_REQUEST_INVALID' });
    expect(problemOf(response).detail).toContain('200 budgets already');
  });
});
