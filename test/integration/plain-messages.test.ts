import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApi } from './api-application.ts';
import { type ApiFixture, openApiFixture, problemOf } from './api-fixture.ts';
import { requestTo } from './request-to.ts';

/* Messages over HTTP in plain JSON, beside CloudEvents. */

let fixture: ApiFixture;
let app: NestFastifyApplication;
let writeKey: string;
let readKey: string;

beforeAll(async () => {
  fixture = await openApiFixture();
  writeKey = await fixture.newKey(['messages:write']);
  readKey = await fixture.newKey(['messages:read']);
  app = await startApi(fixture.services());
});

afterAll(async () => {
  await app.close();
  await fixture.close();
});

const origin = { team: 'support', customer: 'acme', feature: 'triage' };
const ticket = { type: 'ticket.opened', data: { subject: 'confidential-subject' }, origin };
const post = (body: unknown, key = writeKey) =>
  requestTo(app)
    .post('/v1/messages')
    .set({ 'content-type': 'application/json', authorization: `Bearer ${key}` })
    .send(JSON.stringify(body));

describe('admitting a message in plain JSON', () => {
  it('takes type, data and origin alone; each is a new message with an id of its own', async () => {
    const first = await post(ticket);
    expect(first.statusCode, first.text).toBe(202);
    expect(first.body).toEqual({
      source: 'millrace',
      id: expect.any(String),
      outcome: 'admitted',
      messageIds: [expect.any(String)],
    });
    expect((await post(ticket)).body).toMatchObject({ outcome: 'admitted' });
  });

  it('starts a message later, which is shown, can be started by its id and can be cancelled', async () => {
    const key = await fixture.newKey(['messages:read', 'operations:write']);
    const set = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const shown = async (id: string): Promise<Record<string, unknown>> => {
      const { body } = await requestTo(app).get(`/v1/messages/${id}/tree`).set(set);
      return (body as { messages: Record<string, unknown>[] }).messages[0] ?? {};
    };
    const startAt = new Date(Date.now() + 86_400_000).toISOString();
    const sent = await Promise.all([post({ ...ticket, startAt }), post({ ...ticket, delay: '7d' })]);
    const [at = '', after = ''] = sent.map(({ statusCode, text, body }) => {
      expect(statusCode, text).toBe(202);
      return (body as { messageIds: string[] }).messageIds[0] ?? '';
    });
    expect(await shown(at)).toMatchObject({ state: 'pending', waitsFor: 'start', dueAt: startAt, startAt });
    expect(await shown(after)).toMatchObject({ state: 'pending', waitsFor: 'start' });
    const order = (id: string) => JSON.stringify({ ids: [id], reason: 'test' });
    const hurried = await requestTo(app).post('/v1/messages/retry').set(set).send(order(at));
    expect(hurried.body, hurried.text).toMatchObject({ count: 1 });
    const started = await shown(at);
    expect(started).toMatchObject({ state: 'pending', startAt });
    expect(started['waitsFor']).toBeUndefined();
    const cancelled = await requestTo(app).post('/v1/messages/cancel').set(set).send(order(after));
    expect(cancelled.body, cancelled.text).toMatchObject({ count: 1 });
    expect(await shown(after)).toMatchObject({ state: 'cancelled' });
  });

  it.each([
    [400, { startAt: 'tomorrow' }, 'startAt'],
    [400, { startAt: '2026-12-24T18:00:00' }, 'startAt'],
    [422, { startAt: '2999-01-01T00:00:00Z' }, 'startAt'],
    [400, { delay: '1w' }, 'delay'],
    [400, { delay: 5 }, 'delay'],
    [422, { delay: '367d' }, 'delay'],
    [422, { delay: '1s', startAt: '2026-12-24T18:00:00Z' }, 'delay'],
  ])('refuses by %i %j', async (expected, parts, field) => {
    const { status, faults } = problemOf(await post({ ...ticket, ...parts }));
    expect([status, faults?.map((fault) => fault.field)]).toEqual([expected, [field]]);
  });

  it('takes every field that code may give, and knows a repeat by its id', async () => {
    const sent = {
      ...ticket,
      schemaVersion: 1,
      id: 'ticket-7',
      source: '/helpdesk',
      item: 'ticket-7',
      lane: 'bulk',
      traceParent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
      origin: { ...origin, batch: 'b1', labels: { region: 'eu' } },
    };
    const admitted = await post(sent);
    expect(admitted.statusCode, admitted.text).toBe(202);
    const { messageIds } = admitted.body;
    expect((await post(sent)).body).toEqual({ ...admitted.body, outcome: 'duplicate' });
    const found = await requestTo(app)
      .get(`/v1/messages/${messageIds[0]}`)
      .set('authorization', `Bearer ${readKey}`);
    expect(found.body).toMatchObject({
      eventId: 'ticket-7',
      stage: 'triage',
      lane: 'bulk',
      item: 'ticket-7',
      origin: { ...origin, batch: 'b1', labels: { region: 'eu' } },
    });
  });

  it('tells all faults at once, by the names that were sent', async () => {
    const rows = await fixture.countMessages();
    const response = await post({
      ...ticket,
      data: { subject: 7 },
      origin: { team: '', customer: 'acme' },
      lane: 'fast',
      customer: 'acme',
    });
    expect(response.statusCode, response.text).toBe(400);
    const { code, faults } = problemOf(response);
    expect(code).toBe('MILLRACE_REQUEST_INVALID');
    expect(faults?.map(({ field }) => field).toSorted()).toEqual([
      'customer',
      'data.subject',
      'lane',
      'origin.feature',
      'origin.team',
    ]);
    expect(await fixture.countMessages()).toBe(rows);
  });

  it.each([
    ['a missing origin', { ...ticket, origin: undefined }, 'MILLRACE_ORIGIN_INVALID', 'origin'],
    [
      'a CloudEvent, saying how it is sent',
      { ...ticket, specversion: '1.0' },
      'MILLRACE_REQUEST_INVALID',
      'specversion',
    ],
    [
      'an identity that an item of a batch has',
      { ...ticket, id: 'a', source: '/v1/batches/0199a0f0-0000-7000-8000-000000000000?run=1' },
      'MILLRACE_REQUEST_INVALID',
      'source',
    ],
    ['an array', [ticket], 'MILLRACE_REQUEST_INVALID', 'body'],
    ['nothing that it is', null, 'MILLRACE_REQUEST_INVALID', 'body'],
  ])('refuses %s', async (_, body, code, field) => {
    const response = await post(body);
    expect(problemOf(response)).toMatchObject({ code, faults: [{ field }] });
  });

  it('admits for the team of the key only', async () => {
    const salesKey = await fixture.newKey(['messages:write'], 'sales');
    expect((await post(ticket, salesKey)).statusCode).toBe(403);
    expect((await post({ ...ticket, origin: { ...origin, team: 'sales' } }, salesKey)).statusCode).toBe(202);
  });
});
