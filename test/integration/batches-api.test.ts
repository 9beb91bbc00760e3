import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { batchDocumentSchema } from '../../src/capabilities/batches/batch-document.ts';
import {
  batchChunksSchema,
  batchItemsSchema,
  batchListSchema,
  batchRetrySchema,
} from '../../src/capabilities/batches/run/run-documents.ts';
import { newId } from '../../src/kernel/ids.ts';
import { BatchFixture, type Fate } from '../support/batch-fixture.ts';
import { startApi } from './api-application.ts';
import { type ApiFixture, openApiFixture, problemOf } from './api-fixture.ts';
import { requestTo } from './request-to.ts';

/* Batches that run, over HTTP: what may be asked, by whom, and what is answered. */

let fixture: ApiFixture;
let app: NestFastifyApplication;
let batches: BatchFixture;
let read: string;
let data: string;
let operate: string;
let bound: string;

beforeAll(async () => {
  fixture = await openApiFixture();
  read = await fixture.newKey(['operations:read']);
  data = await fixture.newKey(['messages:data', 'operations:read']);
  operate = await fixture.newKey(['operations:write']);
  bound = await fixture.newKey(['admin'], 'red');
  app = await startApi(fixture.services());
});
afterAll(async () => {
  await app.close();
  await fixture.close();
});
beforeEach(async () => {
  batches = await BatchFixture.begin(fixture.database);
});

const get = (path: string, key = read) =>
  requestTo(app).get(`/v1/batches${path}`).set('authorization', `Bearer ${key}`);
const send = (method: 'post' | 'patch', path: string, body: unknown, key = operate) => {
  const request = requestTo(app)[method](`/v1/batches${path}`);
  return request
    .set({ authorization: `Bearer ${key}`, 'content-type': 'application/json' })
    .send(JSON.stringify(body));
};

const good = (n: number): Fate => ({ kind: 'says', data: { secret: n }, costUsd: '0.01' });
const mixed = (n: number): Fate => (n === 2 ? { kind: 'dies', code: 'MILLRACE_STAGE_FAILED' } : good(n));

/** A batch of three of which the second item fails, in a state. */
async function ended(): Promise<string> {
  const id = await batches.submit({ items: 3, settings: { tripwire: { share: 100 } } });
  await batches.turns();
  await batches.work(mixed);
  await batches.turns();
  return id;
}

describe('batches', () => {
  it('are listed newest first, filtered and paged, and shown by id and by name', async () => {
    const ids: string[] = [];
    for (const name of ['one', 'two', 'three']) {
      ids.push(await batches.submit({ name, items: 1 }));
      await fixture.database.execute(
        `update millrace.batches set created_at = timestamptz '2026-03-01' + ${ids.length} * interval '1 second' where id = '${ids.at(-1)}'`,
      );
    }
    const first = batchListSchema.strict().parse((await get('?limit=2')).body);
    expect(first.batches.map(({ name }) => name)).toEqual(['three', 'two']);
    const rest = batchListSchema.parse((await get(`?limit=2&after=${first.next}`)).body);
    expect(rest.batches.map(({ name }) => name)).toEqual(['one']);
    expect(rest.next).toBeUndefined();
    expect((await get('?state=paused')).body).toEqual({ batches: [] });
    expect((await get('?state=paused&state=running&pipeline=things')).body.batches).toHaveLength(3);
    for (const reference of [ids[0], ids[0]?.toUpperCase(), 'one'])
      expect(batchDocumentSchema.strict().parse((await get(`/${reference}`)).body)).toMatchObject({
        id: ids[0],
        name: 'one',
        items: { total: 1, open: 1 },
      });
  });

  it('say how their calls to each model are made, and why', async () => {
    const id = await batches.submit({ items: 1, settings: { mode: 'auto' } });
    expect((await get(`/${id}`)).body).not.toHaveProperty('modes');
    for (const [model, mode] of [
      ['openai/gpt-5-mini', 'provider'],
      ['anthropic/claude', 'online'],
    ])
      await fixture.database.execute(
        `insert into millrace.batch_mode_choices (batch_id, model, mode, reason) values ('${id}', '${model}', '${mode}', 'time is left')`,
      );
    const { modes } = batchDocumentSchema.strict().parse((await get(`/${id}`)).body);
    expect(modes?.map(({ model, mode, reason }) => [model, mode, reason])).toEqual([
      ['anthropic/claude', 'online', 'time is left'],
      ['openai/gpt-5-mini', 'provider', 'time is left'],
    ]);
  });

  it('of one name are told apart by their ids', async () => {
    await batches.submit({ name: 'same', team: 'blue', items: 1 });
    await batches.submit({ name: 'same', team: 'red', items: 1 });
    expect(problemOf(await get('/same'))).toMatchObject({ status: 400, code: 'MILLRACE_REQUEST_INVALID' });
    expect((await get('/same', bound)).body).toMatchObject({ origin: { team: 'red' } });
  });

  it('refuse what they do not understand, each fault by its field', async () => {
    const id = await batches.submit({ items: 1 });
    const hostile = [
      ['?colour=red', 'colour'],
      ['?state=asleep', 'state.0'],
      ['?limit=0', 'limit'],
      ['?limit=201', 'limit'],
      ['?limit=0x10', 'limit'],
      ['?after=1~2', 'after'],
      [`?pipeline=%00`, 'pipeline.0'],
      [`/${id}?x=1`, 'x'],
      [`/${id}/chunks?after=-1`, 'after'],
      [`/${id}/items?after=99999999999`, 'after'],
      [`/${id}/items?state=receiving`, 'state.0'],
    ] as const;
    for (const [path, field] of hostile) {
      const problem = problemOf(await get(path));
      expect(problem, path).toMatchObject({ status: 400, code: 'MILLRACE_REQUEST_INVALID' });
      expect(
        problem.faults?.map((fault) => fault.field),
        path,
      ).toContain(field);
    }
    const bodies = [
      ['post', '/pause', {}, 'reason'],
      ['post', '/cancel', { reason: ' ' }, 'reason'],
      ['post', '/resume', { reason: '\u0000' }, 'reason'],
      ['post', '/retry', { reason: 'r', all: true }, 'all'],
      ['patch', '', { reason: 'r' }, 'priority'],
      ['patch', '', { reason: 'r', priority: 1.5 }, 'priority'],
      ['patch', '', { reason: 'r', deadline: 'tomorrow' }, 'deadline'],
      ['patch', '', { reason: 'r', deadline: '2001-01-01T00:00:00Z' }, 'deadline'],
    ] as const;
    for (const [method, path, body, field] of bodies) {
      const problem = problemOf(await send(method, `/${id}${path}`, body));
      expect(problem, path).toMatchObject({ status: 400, code: 'MILLRACE_REQUEST_INVALID' });
      expect(problem.faults?.map((fault) => fault.field)).toContain(field);
    }
    for (const path of [`/${newId(new Date())}`, '/nobody', "/'%3B--/items", '/%00/output'])
      expect([400, 404], path).toContain((await get(path, data)).statusCode);
  });

  it('show chunks as ranges, and items with errors and, to those who may see them, their inputs', async () => {
    const id = await batches.submit({
      items: 50,
      chunk: 10,
      settings: { chunk: { inFlight: 2 }, tripwire: { share: 100 } },
    });
    await batches.turns();
    await batches.work(mixed);
    await batches.turns();
    const { chunks } = batchChunksSchema.strict().parse((await get(`/${id}/chunks`)).body);
    expect(chunks).toMatchObject([
      { first: 1, last: 2, state: 'done', items: 20, ended: 20, failed: 1 },
      { first: 3, last: 4, state: 'running', ended: 0 },
      { first: 5, last: 5, state: 'waiting' },
    ]);
    const paged = batchChunksSchema.parse((await get(`/${id}/chunks?limit=1`)).body);
    expect(paged.next).toBe('2');
    const failed = batchItemsSchema.strict().parse((await get(`/${id}/items?state=failed`)).body);
    expect(failed.items).toMatchObject([
      { id: 'item-2', error: { code: 'MILLRACE_STAGE_FAILED' }, attempts: 1 },
    ]);
    expect(failed.items[0]).not.toHaveProperty('input');
    expect((await get(`/${id}/items?state=failed`, data)).body.items[0].input).toEqual({ n: 2 });
    const page = (await get(`/${id}/items?limit=20&after=10`)).body;
    expect(page.items.map(({ position }: { position: number }) => position)).toEqual(
      Array.from({ length: 20 }, (_, index) => index + 11),
    );
    expect(page.next).toBe('30');
  });

  it('hand out their output when they are over, or what there is, and their failed items', async () => {
    const running = await batches.submit({ name: 'running', items: 1, state: 'receiving' });
    const id = await ended();
    expect(problemOf(await get(`/${id}/output`)).code).toBe('MILLRACE_FORBIDDEN');
    expect(problemOf(await get(`/${running}/output`, data))).toMatchObject({
      status: 409,
      code: 'MILLRACE_BATCH_STATE',
    });
    const partial = await get(`/${running}/output?partial=true`, data);
    expect({ status: partial.statusCode, text: partial.text ?? '' }).toEqual({ status: 200, text: '' });
    const output = await get(`/${id}/output`, data).responseType('blob');
    expect(output.headers).toMatchObject({
      'content-type': 'application/x-ndjson',
      'cache-control': 'no-store',
      'content-disposition': `attachment; filename="batch-${id}-output.jsonl"`,
    });
    const lines = String(output.body).trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { status: string }).status)).toEqual([
      'succeeded',
      'failed',
      'succeeded',
    ]);
    const rows = get(`/${id}/output`, data).set('accept', 'application/vnd.apache.parquet, */*;q=0.1');
    const parquet = await rows.responseType('blob');
    expect(parquet.headers).toMatchObject({
      'content-type': 'application/vnd.apache.parquet',
      vary: expect.stringContaining('Accept'),
      'content-disposition': `attachment; filename="batch-${id}-output.parquet"`,
    });
    const bytes = parquet.body as Buffer;
    expect([bytes.subarray(0, 4), bytes.subarray(-4)].map(String)).toEqual(['PAR1', 'PAR1']);
    const again = await get(`/${id}/output?format=parquet`, data).responseType('blob');
    expect((again.body as Buffer).equals(bytes)).toBe(true);
    const empty = await get(`/${running}/output?partial=true&format=parquet`, data).responseType('blob');
    expect(String(empty.body)).toMatch(/^PAR1.*PAR1$/s);
    expect(problemOf(await get(`/${id}/output`, data).set('accept', 'text/html')).status).toBe(406);
    expect(problemOf(await get(`/${id}/output?format=csv`, data)).status).toBe(400);
    const failed = await get(`/${id}/failed-items`, data).responseType('blob');
    expect(String(failed.body)).toBe(
      '{"id":"item-2","data":{"n":2},"status":"failed","error":{"code":"MILLRACE_STAGE_FAILED","message":"died of MILLRACE_STAGE_FAILED"}}\n',
    );
  });

  it('are paused, resumed, changed, cancelled and run again by operators, with an audit of each', async () => {
    const id = await batches.submit({ items: 1 });
    const order = { reason: 'for the test' };
    const states: string[] = [];
    for (const what of ['pause', 'resume', 'pause', 'cancel'] as const) {
      const answer = await send('post', `/${id}/${what}`, order);
      expect(answer.statusCode, answer.text).toBe(200);
      states.push(batchDocumentSchema.strict().parse(answer.body).state);
    }
    expect(states).toEqual(['paused', 'running', 'paused', 'cancelling']);
    expect(problemOf(await send('post', `/${id}/resume`, order))).toMatchObject({
      status: 409,
      code: 'MILLRACE_BATCH_STATE',
      detail: 'The batch "night" is cancelling: it can be resumed while it is paused or halted.',
    });
    await batches.turns();
    expect((await get(`/${id}`)).body).toMatchObject({ state: 'cancelled', items: { cancelled: 1 } });
    const retried = await send('post', `/${id}/retry`, order);
    expect(batchRetrySchema.strict().parse(retried.body)).toMatchObject({
      items: 1,
      batch: { state: 'running' },
    });
    const changed = await send('patch', `/${id}`, {
      priority: 3,
      deadline: '2099-01-01T00:00:00+01:00',
      ...order,
    });
    expect(changed.body).toMatchObject({ priority: 3, deadline: '2098-12-31T23:00:00.000Z' });
    expect((await batches.audit()).map(({ action, reason }) => [action, reason])).toEqual([
      ['batches.pause', 'for the test'],
      ['batches.resume', 'for the test'],
      ['batches.pause', 'for the test'],
      ['batches.cancel', 'for the test'],
      ['batches.retry', 'for the test'],
      ['batches.change', 'for the test'],
    ]);
    for (const path of ['/pause', '/resume', '/cancel', '/retry'])
      expect(problemOf(await send('post', `/${id}${path}`, order, read)).status).toBe(403);
  });

  it('of another team are not there for a key of one team', async () => {
    const id = await ended();
    for (const path of ['', '/chunks', '/items', '/output', '/failed-items'])
      expect(problemOf(await get(`/${id}${path}`, bound)).code, path).toBe('MILLRACE_BATCH_NOT_FOUND');
    for (const path of ['/pause', '/resume', '/cancel', '/retry'])
      expect(problemOf(await send('post', `/${id}${path}`, { reason: 'r' }, bound)).code).toBe(
        'MILLRACE_BATCH_NOT_FOUND',
      );
    expect(problemOf(await send('patch', `/${id}`, { reason: 'r', priority: 1 }, bound)).status).toBe(404);
    expect((await get('', bound)).body).toEqual({ batches: [] });
  });
});
