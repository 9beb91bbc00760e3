import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LimitBook } from '../../src/capabilities/limits/limit-book.ts';
import {
  modelLimitDocumentSchema,
  modelLimitListSchema,
} from '../../src/capabilities/limits/limit-documents.ts';
import { LimitWatch } from '../../src/capabilities/limits/limit-watch.ts';
import { SetLimits } from '../../src/capabilities/limits/set-limits.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { startApi } from './api-application.ts';
import { type ApiFixture, configuredLimits, openApiFixture, problemOf } from './api-fixture.ts';
import { requestTo } from './request-to.ts';

/* Limits of models over HTTP: what may be set, by whom, and that a process follows. */

let fixture: ApiFixture;
let app: NestFastifyApplication;
let operate: string;
let read: string;
let bound: string;

beforeAll(async () => {
  fixture = await openApiFixture();
  operate = await fixture.newKey(['operations:write']);
  read = await fixture.newKey(['operations:read']);
  bound = await fixture.newKey(['operations:write'], 'support');
  app = await startApi(fixture.services());
});

afterAll(async () => {
  await app.close();
  await fixture.close();
});

afterEach(() => fixture.database.execute('truncate millrace.set_model_limits, millrace.operator_actions'));

const mini = 'openai/gpt-5-mini';
const send = (method: 'get' | 'put' | 'delete', body?: object, key = operate) => {
  const request = requestTo(app)[method]('/v1/model-limits').set('authorization', `Bearer ${key}`);
  return method === 'delete' ? request.query({ ...body }) : request.send(body);
};
const set = async (body: object) => {
  const response = await send('put', { reason: 'a higher tier', ...body });
  expect(response.statusCode, response.text).toBe(200);
  return modelLimitDocumentSchema.strict().parse(response.body);
};
const list = async (key = read) => {
  const response = await send('get', undefined, key);
  expect(response.statusCode, response.text).toBe(200);
  return modelLimitListSchema.strict().parse(response.body).limits;
};
const audited = async () => {
  const { rows } = await fixture.database.query({
    name: 'test.audit',
    text: `select actor, action, target, reason, detail from millrace.operator_actions where action like 'limits.%' order by id`,
  });
  return rows;
};

describe('a limit', () => {
  it('is set above the configured one, listed, and reset, each with its audit', async () => {
    expect(await list()).toEqual([
      { model: mini, inForce: configuredLimits[mini], configured: configuredLimits[mini] },
    ]);
    const first = await set({ model: mini, tokensPerMinute: 90_000 });
    expect(first).toMatchObject({
      inForce: { requestsPerMinute: 600, tokensPerMinute: 90_000 },
      configured: configuredLimits[mini],
      set: { tokensPerMinute: 90_000, reason: 'a higher tier' },
    });
    expect(first.set?.actor).toMatch(/^key:test:[0-9a-f-]{36}$/);
    expect(first.set).not.toHaveProperty('requestsPerMinute');
    await set({ model: 'anthropic/*', requestsPerMinute: 50, reason: 'new' });
    expect((await list()).map(({ model }) => model)).toEqual(['anthropic/*', mini]);
    // Set again, what is not named any more is as configured.
    expect((await set({ model: mini, requestsPerMinute: 900 })).inForce).toEqual({
      requestsPerMinute: 900,
      tokensPerMinute: 60_000,
    });
    const reset = await send('delete', { model: mini, reason: 'done' });
    expect(modelLimitDocumentSchema.strict().parse(reset.body)).toEqual({
      model: mini,
      inForce: configuredLimits[mini],
      configured: configuredLimits[mini],
    });
    const entries = await audited();
    expect(entries.map(({ action, target, reason }) => [action, target, reason])).toEqual([
      ['limits.set', `model ${mini}`, 'a higher tier'],
      ['limits.set', 'model anthropic/*', 'new'],
      ['limits.set', `model ${mini}`, 'a higher tier'],
      ['limits.reset', `model ${mini}`, 'done'],
    ]);
    expect(entries[2]?.['detail']).toEqual({
      from: { requestsPerMinute: null, tokensPerMinute: 90_000 },
      to: { requestsPerMinute: 900, tokensPerMinute: null },
    });
  });

  it('is followed by a process', async () => {
    const book = new LimitBook(configuredLimits);
    const limits = new SetLimits({ database: fixture.database, clock: systemClock });
    const watch = new LimitWatch({ book, limits, logger: silentLogger });
    await set({ model: mini, requestsPerMinute: 5 });
    await watch.look();
    const model = { provider: 'openai', model: 'gpt-5-mini' };
    expect(book.limitOf(model)).toEqual({ requestsPerMinute: 5, tokensPerMinute: 60_000 });
    await send('delete', { model: mini, reason: 'done' });
    await watch.look();
    expect(book.limitOf(model)).toEqual(configuredLimits[mini]);
  });

  it('needs something to set, and something set to reset', async () => {
    for (const body of [
      { model: mini, reason: 'x' },
      { model: mini, requestsPerMinute: 0, reason: 'x' },
      { model: mini, tokensPerMinute: 1.5, reason: 'x' },
      { model: 'mini', tokensPerMinute: 1, reason: 'x' },
      { model: mini, tokensPerMinute: 1, reason: ' ' },
      { model: mini, tokensPerMinute: 1 },
    ])
      expect(problemOf(await send('put', body)), JSON.stringify(body)).toMatchObject({
        code: 'MILLRACE_REQUEST_INVALID',
      });
    expect(problemOf(await send('delete', { model: mini, reason: 'x' }))).toMatchObject({
      code: 'MILLRACE_NOT_FOUND',
    });
    expect(await audited()).toEqual([]);
  });

  it('is read with operations:read, and changed with operations:write by a key without a team', async () => {
    expect(await list(bound)).toHaveLength(1);
    const order = { model: mini, tokensPerMinute: 1, reason: 'x' };
    for (const key of [read, bound]) {
      expect((await send('put', order, key)).statusCode).toBe(403);
      expect((await send('delete', { model: mini, reason: 'x' }, key)).statusCode).toBe(403);
    }
    expect((await send('get', undefined, await fixture.newKey(['messages:read']))).statusCode).toBe(403);
  });
});
