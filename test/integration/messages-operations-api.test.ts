import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../src/kernel/ids.ts';
import {
  messageDataSchema,
  messageListSchema,
  messageTreeSchema,
  steeredSchema,
} from '../../src/capabilities/message-operations/message-documents.ts';
import { startApi } from './api-application.ts';
import { type ApiFixture, openApiFixture, problemOf, ticketEvent } from './api-fixture.ts';
import { requestTo } from './request-to.ts';

/* Messages for operators over HTTP: what may be asked, by whom, and what is answered. */

let fixture: ApiFixture;
let app: NestFastifyApplication;
let read: string;
let readData: string;
let operate: string;
let write: string;
let bound: string;

beforeAll(async () => {
  fixture = await openApiFixture();
  read = await fixture.newKey(['messages:read']);
  readData = await fixture.newKey(['messages:data']);
  operate = await fixture.newKey(['operations:write']);
  write = await fixture.newKey(['messages:write']);
  bound = await fixture.newKey(['messages:read', 'messages:data', 'operations:write'], 'billing');
  app = await startApi(fixture.services());
});

afterAll(async () => {
  await app.close();
  await fixture.close();
});

beforeEach(() => fixture.database.execute('truncate millrace.messages, millrace.operator_actions'));

const get = (path: string, key = read) =>
  requestTo(app).get(`/v1/messages${path}`).set('authorization', `Bearer ${key}`);
const post = (path: string, body: unknown, key = operate) =>
  requestTo(app)
    .post(`/v1/messages${path}`)
    .set({ authorization: `Bearer ${key}`, 'content-type': 'application/json' })
    .send(JSON.stringify(body));
const admit = async (overrides: Record<string, unknown> = {}): Promise<string> => {
  const response = await requestTo(app)
    .post('/v1/messages')
    .set({ authorization: `Bearer ${write}`, 'content-type': 'application/cloudevents+json' })
    .send(JSON.stringify(ticketEvent(overrides)));
  expect(response.statusCode, response.text).toBe(202);
  return response.body.messageIds[0] ?? '';
};
const listed = async (query = '', key = read) => {
  const response = await get(query, key);
  expect(response.statusCode, response.text).toBe(200);
  return messageListSchema.strict().parse(response.body);
};

describe('the list', () => {
  it('shows messages newest first without their data, filtered and paged', async () => {
    const ids: string[] = [];
    for (const customer of ['acme', 'zeta', 'acme']) ids.push(await admit({ origincustomer: customer }));
    const all = await listed();
    expect(all.messages.map(({ id }) => id)).toEqual(ids.toReversed());
    expect(JSON.stringify(all)).not.toContain('confidential-subject');
    const event = all.messages[0]?.eventId ?? '';
    expect((await listed(`?event_id=${event}`)).messages.map(({ id }) => id)).toEqual([ids[2]]);
    expect((await listed('?customer=acme&customer=zeta&state=pending')).messages).toHaveLength(3);
    const first = await listed('?limit=2');
    expect(first.messages.map(({ id }) => id)).toEqual([ids[2], ids[1]]);
    const rest = await listed(`?limit=2&after=${first.next}`);
    expect(rest).toMatchObject({ messages: [{ id: ids[0] }] });
    expect(rest.next).toBeUndefined();
  });

  it('refuses what it does not understand, each fault by its field', async () => {
    const hostile = [
      ['?colour=red', 'colour'],
      ['?state=asleep', 'state.0'],
      ['?limit=0', 'limit'],
      ['?limit=0x10', 'limit'],
      ['?limit=1e2', 'limit'],
      ['?limit=201', 'limit'],
      ['?from=yesterday', 'from'],
      ['?to=0000-01-01', 'to'],
      ['?after=1~2', 'after'],
      [`?after=${'9'.repeat(18)}~${newId(new Date())}`, 'after'],
      ['?stage=%00', 'stage.0'],
      [`?stage=${'x'.repeat(1025)}`, 'stage.0'],
    ] as const;
    for (const [query, field] of hostile) {
      const problem = problemOf(await get(query));
      expect(problem, query).toMatchObject({ status: 400, code: 'MILLRACE_REQUEST_INVALID' });
      expect(
        problem.faults?.map((fault) => fault.field),
        query,
      ).toContain(field);
    }
    const far = await listed(`?after=${'9'.repeat(16)}~${newId(new Date())}`);
    expect(far.messages).toEqual([]);
  });
});

describe('the story of one', () => {
  it('is its tree for those who may read messages, and its data only with the scope for data', async () => {
    const id = await admit();
    const tree = await get(`/${id}/tree`);
    expect(messageTreeSchema.strict().parse(tree.body)).toMatchObject({ rootId: id, messages: [{ id }] });
    expect(tree.text).not.toContain('confidential-subject');
    expect(problemOf(await get(`/${id}/data`))).toMatchObject({ status: 403, code: 'MILLRACE_FORBIDDEN' });
    const data = await get(`/${id}/data`, readData);
    expect(messageDataSchema.strict().parse(data.body)).toMatchObject({
      id,
      data: { subject: 'confidential-subject' },
    });
    for (const path of [`/${newId(new Date())}/tree`, '/x/tree', "/'%3B--/tree"])
      expect(problemOf(await get(path)), path).toMatchObject({ status: 404, code: 'MILLRACE_NOT_FOUND' });
  });
});

describe('cancel and retry', () => {
  it('say in a dry run what they would touch, then do it, with an audit by the key', async () => {
    const id = await admit();
    const body = { ids: [id], reason: 'sent by mistake' };
    const plan = await post('/cancel', { ids: [id], dryRun: true });
    expect(steeredSchema.strict().parse(plan.body)).toMatchObject({ dryRun: true, count: 1 });
    expect(await listed('?state=pending')).toMatchObject({ messages: [{ id }] });
    const retried = steeredSchema.strict().parse((await post('/retry', body)).body);
    expect(retried).toMatchObject({ count: 0, skipped: [{ id, reason: 'due' }] });
    const cancelled = steeredSchema.strict().parse((await post('/cancel', body)).body);
    expect(cancelled).toMatchObject({ dryRun: false, count: 1, skipped: [] });
    expect(await listed('?state=cancelled')).toMatchObject({
      messages: [{ id, errorCode: 'MILLRACE_MESSAGE_CANCELLED' }],
    });
    const { rows } = await fixture.database.query<{ id: string; actor: string; reason: string }>({
      name: 'test.audit',
      text: 'select id, actor, reason from millrace.operator_actions',
    });
    expect(rows).toEqual([
      { id: cancelled.actionId, actor: expect.stringMatching(/^key:test:/), reason: 'sent by mistake' },
    ]);
  });

  it('refuse a selection that is not said, a missing reason, and callers without the scope', async () => {
    const id = await admit();
    for (const path of ['/cancel', '/retry']) {
      for (const body of [
        {},
        { ids: [id] },
        { ids: ['x'], reason: 'r' },
        { ids: [], reason: 'r' },
        { filter: { colour: 'red' }, reason: 'r' },
        { filter: {}, reason: ' ' },
        { filter: {}, reason: 'r', max: 10_001 },
        { filter: { stage: 'caf\ud83d' }, reason: 'r' },
        { filter: {}, reason: 'half \ud83d' },
        [],
        null,
      ]) {
        const problem = problemOf(await post(path, body));
        expect(problem, `${path} ${JSON.stringify(body)}`).toMatchObject({ status: 400 });
      }
      expect(problemOf(await post(path, { ids: [id], reason: 'r' }, read))).toMatchObject({ status: 403 });
    }
    expect((await listed('?state=pending')).messages).toHaveLength(1);
  });
});

it('a key of one team sees and touches nothing of another', async () => {
  const id = await admit();
  expect(await listed('', bound)).toEqual({ messages: [] });
  expect(await listed('?team=support', bound)).toEqual({ messages: [] });
  for (const path of [`/${id}`, `/${id}/tree`, `/${id}/data`])
    expect(problemOf(await get(path, bound)), path).toMatchObject({ status: 404 });
  for (const path of ['/cancel', '/retry']) {
    const byId = steeredSchema.parse((await post(path, { ids: [id], reason: 'r' }, bound)).body);
    expect(byId).toMatchObject({ count: 0, skipped: [{ id, reason: 'unknown' }] });
    const byFilter = steeredSchema.parse((await post(path, { filter: {}, dryRun: true }, bound)).body);
    expect(byFilter).toMatchObject({ count: 0, hasMore: false, stages: [] });
  }
  expect((await listed('?state=pending')).messages).toHaveLength(1);
});
