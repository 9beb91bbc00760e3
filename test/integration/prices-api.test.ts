import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callPriceSchema } from '../../src/capabilities/prices/call-price/call-price-document.ts';
import { overrideListSchema } from '../../src/capabilities/prices/overrides/override-document.ts';
import { repriceReportSchema } from '../../src/capabilities/prices/reprice/reprice-document.ts';
import { startApi } from './api-application.ts';
import { type ApiFixture, openApiFixture, problemOf } from './api-fixture.ts';
import { requestTo } from './request-to.ts';

const id = '01a1944c-70c0-774b-8cce-b302099a8057';

let fixture: ApiFixture;
let app: NestFastifyApplication;
let operator: string;

beforeAll(async () => {
  fixture = await openApiFixture();
  const { database } = fixture;
  app = await startApi(fixture.services());
  operator = await fixture.newKey(['operations:write', 'costs:read']);
  await database.execute(
    `insert into millrace.calls (id, origin, step, ordinal, attempt, state, provider, model, operation, tier, request_kind,
       request_digest, reserved_at, settled_at, outcome, settlement, tokens)
     values ('${id}', '{"team":"blue","customer":"acme","feature":"search"}', 's', 1, 1, 'settled', 'openai', 'gpt-5-mini', 'chat',
       'default', 'single', 'd', '2026-10-31 23:30:00+00', clock_timestamp(), 'ok', 'reported', '{"uncached_input":4,"text_output":100}')`,
  );
});
afterAll(async () => {
  await app.close();
  await fixture.close();
});

const get = async (path: string, key = operator) =>
  requestTo(app).get(path).set('authorization', `Bearer ${key}`);
const post = async (path: string, body: object, key = operator) =>
  requestTo(app).post(path).set('authorization', `Bearer ${key}`).send(body);
const refused = (response: Awaited<ReturnType<typeof post>>) => [
  response.statusCode,
  problemOf(response).code,
];

describe('the arithmetic of a call over HTTP', () => {
  it('is told to whom the call belongs', async () => {
    const found = await get(`/v1/calls/${id}/price`);
    expect(callPriceSchema.strict().parse(found.body)).toMatchObject({
      id,
      presentUsd: '0.000201',
      lines: [
        { kind: 'uncached_input', count: 4 },
        { kind: 'text_output', count: 100 },
      ],
      records: [],
    });
    expect(
      (await get(`/v1/calls/${id}/price`, await fixture.newKey(['costs:read'], 'blue'))).statusCode,
    ).toBe(200);
    expect((await get(`/v1/calls/${id}/price`, await fixture.newKey(['costs:read'], 'red'))).statusCode).toBe(
      404,
    );
    expect((await get('/v1/calls/nothing/price')).statusCode).toBe(404);
    expect((await get(`/v1/calls/${id}/price`, await fixture.newKey(['messages:read']))).statusCode).toBe(
      403,
    );
  });
});

describe('POST /v1/prices/reprice', () => {
  const body = { from: '2026-10-01', to: '2026-11-01', reason: 'a price' };

  it('needs the scope, a key without a team, and a sound body', async () => {
    expect((await post('/v1/prices/reprice', body, await fixture.newKey(['costs:read']))).statusCode).toBe(
      403,
    );
    const ofTeam = await fixture.newKey(['operations:write'], 'blue');
    expect(refused(await post('/v1/prices/reprice', body, ofTeam))).toEqual([403, 'MILLRACE_FORBIDDEN']);
    for (const wrong of [
      {},
      { ...body, reason: ' ' },
      { ...body, from: 'yesterday' },
      { ...body, from: '2026-12-01' },
      { ...body, from: '1990-01-01' },
      { ...body, model: 'a\u0000b' },
      { ...body, after: 'x' },
      { ...body, more: 1 },
    ]) {
      expect((await post('/v1/prices/reprice', wrong)).statusCode, JSON.stringify(wrong)).toBe(400);
    }
  });

  it('says what it would do, does it, and does it once', async () => {
    const ask = async (parts: object = {}) => {
      const answer = await post('/v1/prices/reprice', { ...body, ...parts });
      return repriceReportSchema.strict().parse(answer.body);
    };
    const changed = { calls: 1, corrections: 1, newlyPriced: 1, beforeUsd: '0', afterUsd: '0.000201' };
    expect(await ask({ dryRun: true, reason: '' })).toMatchObject({ dryRun: true, ...changed });
    expect(await ask()).toMatchObject({ dryRun: false, ...changed });
    expect(await ask()).toMatchObject({ calls: 1, corrections: 0 });
    // An entry of the audit that is of something else is nothing to go on with.
    await fixture.database.execute(
      `insert into millrace.operator_actions (id, at, actor, action, target, detail, reason)
       values ('01970000-0000-7000-8000-000000000001', clock_timestamp(), 'key:eve:1', 'keys.create', 'x', '{}', '')`,
    );
    const hidden = await post('/v1/prices/reprice', {
      ...body,
      operationId: '01970000-0000-7000-8000-000000000001',
    });
    expect(hidden.statusCode, hidden.text).toBe(400);
    expect(hidden.text).toContain('operationId');
    const found = callPriceSchema.parse((await get(`/v1/calls/${id}/price`)).body);
    expect(found).toMatchObject({
      costUsd: '0.000201',
      records: [{ kind: 'correction', reason: 'a price' }],
    });
  });
});

describe('/v1/prices/overrides', () => {
  const price = {
    provider: 'openai',
    model: 'gpt-5-mini',
    rates: { uncached_input: '1', text_output: '10' },
  };

  it('are set, listed and taken away by operators without a team', async () => {
    const ofTeam = await fixture.newKey(['operations:write'], 'blue');
    const order = { price, reason: 'a contract' };
    expect(refused(await post('/v1/prices/overrides', order, ofTeam))).toEqual([403, 'MILLRACE_FORBIDDEN']);
    const set = await post('/v1/prices/overrides', order);
    expect(set.statusCode, JSON.stringify(set.body)).toBe(200);
    expect(set.body).toMatchObject({
      price: { model: 'gpt-5-mini' },
      reason: 'a contract',
      state: 'in_force',
    });
    const { overrides } = overrideListSchema.parse((await get('/v1/prices/overrides')).body);
    expect(overrides).toHaveLength(1);
    const again = await post('/v1/prices/overrides', order);
    expect(again.statusCode).toBe(400);
    expect(problemOf(again).detail).toContain(overrides[0]?.id);
    for (const wrong of [
      { ...order, reason: '' },
      { ...order, price: { ...price, rates: { uncached_input: 1 } } },
      { ...order, price: { ...price, from: '2026-02-01', until: '2026-01-01' } },
      { ...order, price: { provider: 'openai', model: 'x' } },
      ...['a\u0000b', 'a\nb', 'a\ud83d', 'a\u202eb', '__proto__'].flatMap((text) =>
        ['provider', 'model', 'tier', 'geography'].map((field) => ({
          ...order,
          price: { ...price, model: 'other', [field]: text },
        })),
      ),
      ...['a\u0000b', 'a\ud83d', 'x'.repeat(2_001)].flatMap((text) =>
        ['source', 'note'].map((field) => ({ ...order, price: { ...price, model: 'other', [field]: text } })),
      ),
      ...['a\u0000b', 'a\nb', 'a\ud83d'].map((reason) => ({
        price: { ...price, model: 'other' },
        reason,
      })),
    ]) {
      expect((await post('/v1/prices/overrides', wrong)).statusCode, JSON.stringify(wrong)).toBe(400);
    }
    const unset = (path: string) =>
      requestTo(app).delete(`/v1/prices/overrides/${path}`).set('authorization', `Bearer ${operator}`);
    const one = overrides[0]?.id ?? '';
    expect((await unset(`${one}?entirely=true`)).statusCode).toBe(400);
    expect((await unset(`01a1944c-70c0-774b-8cce-b302099a8057?reason=x`)).statusCode).toBe(404);
    const ended = overrideListSchema.parse((await unset(`${one}?reason=over`)).body);
    expect(ended.overrides).toMatchObject([{ id: one, state: 'over' }]);
    expect((await unset(`${one}?reason=over`)).statusCode).toBe(400);
    expect((await unset(`${one}?reason=over&entirely=true`)).body).toEqual({
      overrides: [],
      unreadable: [],
    });
    const { rows } = await fixture.database.query<{ action: string }>({
      name: 'test.prices_audit',
      text: `select action from millrace.operator_actions where action in ('prices.set', 'prices.unset') order by at, id`,
    });
    expect(rows.map(({ action }) => action)).toEqual(['prices.set', 'prices.unset', 'prices.unset']);
  });
});

describe('/v1/periods', () => {
  it('are closed, listed and opened again by operators without a team', async () => {
    await fixture.database.execute('truncate millrace.outbox');
    const order = { month: '2026-10', reason: 'the books' };
    const ofTeam = await fixture.newKey(['operations:write'], 'blue');
    expect(refused(await post('/v1/periods/close', order, ofTeam))).toEqual([403, 'MILLRACE_FORBIDDEN']);
    for (const wrong of [{}, { month: '2026-13' }, { month: '2199-01' }, { ...order, timeZone: 'Nowhere' }]) {
      expect((await post('/v1/periods/close', wrong)).statusCode, JSON.stringify(wrong)).toBe(400);
    }
    expect((await post('/v1/periods/close', order)).body).toMatchObject({
      month: '2026-10',
      timeZone: 'UTC',
    });
    expect((await get('/v1/periods')).body).toMatchObject({
      periods: [{ month: '2026-10', reason: 'the books' }],
    });
    expect((await post('/v1/periods/reopen', { month: '2026-10' })).statusCode).toBe(400);
    expect((await post('/v1/periods/reopen', { month: '2026-10', reason: 'a mistake' })).body).toMatchObject({
      reopened: { reason: 'a mistake' },
    });
    expect(refused(await post('/v1/periods/reopen', { month: '2026-10', reason: 'x' }))).toEqual([
      404,
      'MILLRACE_NOT_FOUND',
    ]);
  });
});
