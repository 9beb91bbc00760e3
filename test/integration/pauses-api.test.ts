import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/kernel/ids.ts';
import {
  pauseListSchema,
  resumedPauseSchema,
  placedPauseSchema,
} from '../../src/capabilities/pauses/pause-documents.ts';
import { startApi } from './api-application.ts';
import { type ApiFixture, openApiFixture, problemOf, ticketEvent } from './api-fixture.ts';
import { requestTo } from './request-to.ts';

/* Pauses over HTTP: what may be said, by whom, and what comes of it. What holds stop is tested elsewhere. */

let fixture: ApiFixture;
let app: NestFastifyApplication;
let operate: string;
let read: string;
let bound: string;

beforeAll(async () => {
  fixture = await openApiFixture();
  operate = await fixture.newKey(['operations:write']);
  read = await fixture.newKey(['messages:read']);
  bound = await fixture.newKey(['messages:read', 'operations:write'], 'support');
  app = await startApi(fixture.services());
});

afterAll(async () => {
  await app.close();
  await fixture.close();
});

afterEach(() => fixture.database.execute('truncate millrace.blocks'));

const send = (method: 'get' | 'post' | 'delete', path = '', body?: object, key = operate) => {
  const request = requestTo(app)[method](`/v1/pauses${path}`);
  return request.set('authorization', `Bearer ${key}`).send(body);
};
const place = async (body: Record<string, unknown>) => {
  const response = await send('post', '', { reason: 'it bills nonsense', ...body });
  expect(response.statusCode, response.text).toBe(200);
  return placedPauseSchema.strict().parse(response.body);
};
const list = async (key = read) => {
  const response = await send('get', '', undefined, key);
  expect(response.statusCode, response.text).toBe(200);
  return pauseListSchema.strict().parse(response.body).pauses;
};

describe('a pause', () => {
  it('is placed once, changed when it is placed again, listed, and lifted by its id', async () => {
    const first = await place({ scope: 'stage', value: 'triage' });
    expect(first).toMatchObject({
      isNew: true,
      pause: { scope: 'stage', value: 'triage', aborts: false, reason: 'it bills nonsense' },
    });
    expect(first.pause.actor).toMatch(/^key:test:[0-9a-f-]{36}$/);
    const again = await place({ scope: 'stage', value: 'triage', abort: true, reason: 'at once' });
    expect(again).toMatchObject({
      isNew: false,
      pause: { id: first.pause.id, createdAt: first.pause.createdAt, aborts: true, reason: 'at once' },
    });
    expect(await list()).toEqual([{ ...again.pause, waiting: 0 }]);
    const resumed = await send('delete', `/${first.pause.id}?reason=mended`);
    expect(resumed.statusCode, resumed.text).toBe(200);
    expect(resumedPauseSchema.strict().parse(resumed.body)).toEqual({ pause: again.pause });
    expect(await list()).toEqual([]);
    expect(problemOf(await send('delete', `/${first.pause.id}?reason=again`))).toMatchObject({
      status: 404,
      code: 'MILLRACE_NOT_FOUND',
    });
  });

  it('says when nothing of that name is known, and stands all the same', async () => {
    expect((await place({ scope: 'stage', value: 'traige' })).warnings).toEqual([
      expect.stringContaining('stage traige'),
    ]);
    expect(await list()).toHaveLength(1);
    const event = await requestTo(app)
      .post('/v1/messages')
      .set({
        authorization: `Bearer ${await fixture.newKey(['messages:write'])}`,
        'content-type': 'application/cloudevents+json',
      })
      .send(JSON.stringify(ticketEvent()));
    expect(event.statusCode, event.text).toBe(202);
    expect((await place({ scope: 'stage', value: 'triage' })).warnings).toEqual([]);
    expect((await list()).find(({ value }) => value === 'triage')?.waiting).toBe(1);
    expect((await place({ scope: 'all' })).warnings).toEqual([]);
  });

  it.each([
    [{ scope: 'planet', value: 'x', reason: 'r' }, 'scope'],
    [{ value: 'x', reason: 'r' }, 'scope'],
    [{ scope: 'stage', reason: 'r' }, 'value'],
    [{ scope: 'stage', value: ' ', reason: 'r' }, 'value'],
    [{ scope: 'stage', value: 'x'.repeat(513), reason: 'r' }, 'value'],
    [{ scope: 'stage', value: 'a\u0000b', reason: 'r' }, 'value'],
    [{ scope: 'all', value: 'x', reason: 'r' }, 'value'],
    [{ scope: 'model', value: 'gpt-5', reason: 'r' }, 'value'],
    [{ scope: 'model', value: '/gpt-5', reason: 'r' }, 'value'],
    [{ scope: 'stage', value: 'x' }, 'reason'],
    [{ scope: 'stage', value: 'x', reason: ' ' }, 'reason'],
    [{ scope: 'stage', value: 'x', reason: 'r'.repeat(1001) }, 'reason'],
    [{ scope: 'stage', value: 'x', reason: 'r', abort: 'yes' }, 'abort'],
    [{ scope: 'stage', value: 'x', reason: 'r', until: 'noon' }, 'until'],
    [[], 'request'],
  ])('is refused when it cannot be meant: %j', async (body, field) => {
    const problem = problemOf(await send('post', '', body));
    expect(problem).toMatchObject({ status: 400, code: 'MILLRACE_REQUEST_INVALID' });
    expect(problem.faults?.map((fault) => fault.field)).toContain(field);
    expect(await list()).toEqual([]);
  });

  it('is not lifted without a reason, nor by what is no id', async () => {
    const { pause } = await place({ scope: 'all' });
    expect(problemOf(await send('delete', `/${pause.id}`)).code).toBe('MILLRACE_REQUEST_INVALID');
    expect(problemOf(await send('delete', `/${pause.id}?reason=`)).code).toBe('MILLRACE_REQUEST_INVALID');
    expect(problemOf(await send('delete', `/all?reason=r`)).code).toBe('MILLRACE_NOT_FOUND');
    expect(problemOf(await send('delete', `/${newId(new Date())}?reason=r`)).code).toBe('MILLRACE_NOT_FOUND');
    expect(await list()).toHaveLength(1);
  });

  it('is the business of operators without a team; one with a team sees what concerns it', async () => {
    const { pause } = await place({ scope: 'team', value: 'support' });
    await place({ scope: 'team', value: 'sales' });
    await place({ scope: 'customer', value: 'acme' });
    const order = { scope: 'team', value: 'support', reason: 'r' };
    expect(problemOf(await send('post', '', order, bound))).toMatchObject({ status: 403 });
    expect(problemOf(await send('delete', `/${pause.id}?reason=r`, undefined, bound)).status).toBe(403);
    expect(problemOf(await send('post', '', order, read)).status).toBe(403);
    expect(problemOf(await send('delete', `/${pause.id}?reason=r`, undefined, read)).status).toBe(403);
    expect(problemOf(await send('get', '', undefined, operate)).status).toBe(403);
    expect((await list(bound)).map(({ value }) => value)).toEqual(['support']);
    expect(await list()).toHaveLength(3);
  });
});
