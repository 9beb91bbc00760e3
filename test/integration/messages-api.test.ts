import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { messageCostSchema } from '../../src/capabilities/message-operations/message-costs.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { usd } from '../../src/kernel/money.ts';
import { CallLedger, callId, type SettledCall } from '../../src/engine/ledger/call-ledger.ts';
import { claimOf } from '../support/ledger-fixture.ts';
import { startApi } from './api-application.ts';
import { type ApiFixture, openApiFixture, problemOf, ticketEvent } from './api-fixture.ts';
import { requestTo } from './request-to.ts';

/* Messages over HTTP: what is admitted, what is refused with nothing written, and what a message shows. */

const bodyLimitBytes = 40_000;

let fixture: ApiFixture;
let app: NestFastifyApplication;
let writeKey: string;
let readKey: string;

beforeAll(async () => {
  fixture = await openApiFixture();
  writeKey = await fixture.newKey(['messages:write']);
  readKey = await fixture.newKey(['messages:read']);
  app = await startApi(fixture.services(), { bodyLimitBytes });
});

afterAll(async () => {
  await app.close();
  await fixture.close();
});

const post = (body: unknown, contentType = 'application/cloudevents+json', key = writeKey) =>
  requestTo(app)
    .post('/v1/messages')
    .set({ 'content-type': contentType, authorization: `Bearer ${key}` })
    .send(typeof body === 'string' ? body : JSON.stringify(body));
const postBatch = (events: readonly unknown[], key = writeKey) =>
  post(events, 'application/cloudevents-batch+json', key);
const getMessage = (id: string, key = readKey) =>
  requestTo(app).get(`/v1/messages/${id}`).set('authorization', `Bearer ${key}`);

describe('admitting an event', () => {
  it('answers with a receipt once the message is durable, and notifies its stage', async () => {
    const sent = ticketEvent({
      schemaversion: 1,
      item: 'ticket-7',
      lane: 'bulk',
      originlabels: '{"region":"eu"}',
      originbatch: 'b1',
    });
    const response = await post(sent, 'application/cloudevents+json; charset=utf-8');
    expect(response.statusCode, response.text).toBe(202);
    const receipt = response.body;
    expect(receipt).toEqual({
      source: '/helpdesk',
      id: sent['id'],
      outcome: 'admitted',
      messageIds: [expect.any(String)],
    });
    expect(fixture.published).toEqual(receipt.messageIds);
    const found = await getMessage(receipt.messageIds[0]);
    expect(messageCostSchema.strict().parse(found.body)).toMatchObject({
      id: receipt.messageIds[0],
      eventId: sent['id'],
      stage: 'triage',
      pipeline: 'support',
      lane: 'bulk',
      item: 'ticket-7',
      origin: { team: 'support', customer: 'acme', feature: 'triage', batch: 'b1', labels: { region: 'eu' } },
      state: 'pending',
      cost: { calls: 0, costUsd: '0' },
      tree: { messages: { pending: 1 } },
    });
  });

  it('changes nothing when it is repeated', async () => {
    const sent = ticketEvent();
    const first = (await post(sent)).body;
    const rows = await fixture.countMessages();
    const second = await post(sent);
    expect(second.statusCode).toBe(202);
    expect(second.body).toEqual({ ...first, outcome: 'duplicate' });
    expect(await fixture.countMessages()).toBe(rows);
  });

  it.each([
    [
      'an unknown type',
      ticketEvent({ type: 'ticket.closed' }),
      422,
      'MILLRACE_MESSAGE_TYPE_UNKNOWN',
      /ticket\.opened/,
    ],
    [
      'a version that is too new',
      ticketEvent({ schemaversion: 2 }),
      422,
      'MILLRACE_MESSAGE_VERSION_UNSUPPORTED',
      /"ticket\.opened" version 2 .* accepted: 1/,
    ],
    [
      'data that does not fit',
      ticketEvent({ data: { subject: '', more: 1 } }),
      422,
      'MILLRACE_MESSAGE_INVALID',
      /data\.subject/,
    ],
    [
      'a lane that does not exist',
      ticketEvent({ lane: 'fast' }),
      400,
      'MILLRACE_REQUEST_INVALID',
      /interactive/,
    ],
    [
      'data over the limit',
      ticketEvent({ data: { subject: 'x'.repeat(20_000) } }),
      413,
      'MILLRACE_MESSAGE_TOO_LARGE',
      /20000/,
    ],
  ])('refuses %s and writes nothing', async (_, sent, status, code, detail) => {
    const rows = await fixture.countMessages();
    const response = await post(sent);
    expect(response.statusCode, response.text).toBe(status);
    const problem = problemOf(response);
    expect(problem.code).toBe(code);
    expect(problem.detail).toMatch(detail);
    expect(await fixture.countMessages()).toBe(rows);
  });

  it('names the faults of envelope, origin, lane and data at once', async () => {
    const response = await post(
      ticketEvent({ item: 'caf\ud83d', origincustomer: '\ud83d', lane: 'fast', data: { subject: '' } }),
    );
    expect(response.statusCode, response.text).toBe(400);
    expect(problemOf(response).faults?.map(({ field }) => field)).toEqual([
      'item',
      'origincustomer',
      'lane',
      'data.subject',
    ]);
  });

  it.each(['id', 'source', 'item', 'originteam', 'originbatch'])(
    'refuses half an emoji in "%s" and admits the other events of the batch',
    async (attribute) => {
      const response = await postBatch([
        ticketEvent(),
        ticketEvent({ [attribute]: 'caf\ud83d' }),
        ticketEvent({ data: { subject: 'caf\ud83d' } }),
      ]);
      expect(response.statusCode, response.text).toBe(207);
      const { results } = response.body;
      expect(results.map((result: { outcome: string }) => result.outcome)).toEqual([
        'admitted',
        'refused',
        'admitted',
      ]);
      expect(results[1].problem.faults[0].field).toBe(attribute);
    },
  );

  it('names every fault of the envelope and the origin at once', async () => {
    const rows = await fixture.countMessages();
    const response = await post(
      ticketEvent({
        specversion: '0.3',
        id: '',
        originteam: undefined,
        originlabels: '{',
        originFeature: 'x',
      }),
    );
    expect(response.statusCode).toBe(400);
    expect(
      problemOf(response)
        .faults?.map(({ field }) => field)
        .toSorted(),
    ).toEqual(['id', 'originFeature', 'originlabels', 'originteam', 'specversion']);
    const withoutOrigin = await post(ticketEvent({ originteam: undefined, origincustomer: ' acme' }));
    expect(withoutOrigin.statusCode).toBe(422);
    expect(problemOf(withoutOrigin)).toMatchObject({
      code: 'MILLRACE_ORIGIN_INVALID',
      faults: [{ field: 'originteam' }, { field: 'origincustomer' }],
    });
    expect(await fixture.countMessages()).toBe(rows);
  });

  it.each([
    ['another type', 'x', 'text/xml', 415, 'MILLRACE_MEDIA_TYPE_UNSUPPORTED'],
    ['what is not JSON', '{"specversion":', 'application/cloudevents+json', 400, 'MILLRACE_REQUEST_INVALID'],
    ['nothing', '', 'application/cloudevents+json', 400, 'MILLRACE_REQUEST_INVALID'],
    [
      'a poisoned object',
      '{"__proto__":{"scopes":["admin"]}}',
      'application/cloudevents+json',
      400,
      'MILLRACE_REQUEST_INVALID',
    ],
    ['an array', '[]', 'application/cloudevents+json', 400, 'MILLRACE_REQUEST_INVALID'],
    ['null', 'null', 'application/cloudevents+json', 400, 'MILLRACE_REQUEST_INVALID'],
    [
      'a single event as a batch',
      '{}',
      'application/cloudevents-batch+json',
      400,
      'MILLRACE_REQUEST_INVALID',
    ],
    [
      'a body over the limit',
      `{"data":"${'x'.repeat(bodyLimitBytes)}"}`,
      'application/cloudevents+json',
      413,
      'MILLRACE_REQUEST_TOO_LARGE',
    ],
  ])('refuses %s', async (_, body, contentType, status, code) => {
    const response = await post(body, contentType);
    expect(response.statusCode, response.text).toBe(status);
    expect(problemOf(response).code).toBe(code);
  });
});

describe('admitting a batch', () => {
  it('answers for each event by itself, in their order', async () => {
    const repeated = ticketEvent();
    await post(repeated);
    const rows = await fixture.countMessages();
    const response = await postBatch([
      ticketEvent(),
      ticketEvent({ type: 'nobody.knows' }),
      repeated,
      'x',
      ticketEvent({ originteam: '' }),
    ]);
    expect(response.statusCode).toBe(207);
    const receipt = response.body;
    expect(receipt).toMatchObject({ admitted: 1, duplicates: 1, refused: 3 });
    expect(
      receipt.results.map(
        (result: { outcome: string; problem?: { code: string } }) => result.problem?.code ?? result.outcome,
      ),
    ).toEqual([
      'admitted',
      'MILLRACE_MESSAGE_TYPE_UNKNOWN',
      'duplicate',
      'MILLRACE_REQUEST_INVALID',
      'MILLRACE_ORIGIN_INVALID',
    ]);
    expect(await fixture.countMessages()).toBe(rows + 1);
  });

  it('is plainly accepted when every event is', async () => {
    const response = await postBatch([ticketEvent(), ticketEvent()]);
    expect(response.statusCode).toBe(202);
    expect(response.body).toMatchObject({ admitted: 2, duplicates: 0, refused: 0 });
    expect((await postBatch([])).statusCode).toBe(202);
  });

  it('is bounded', async () => {
    const rows = await fixture.countMessages();
    const response = await postBatch(Array.from({ length: 1001 }, () => 1));
    expect(response.statusCode).toBe(400);
    expect(problemOf(response).detail).toContain('1000');
    expect(await fixture.countMessages()).toBe(rows);
  });
});

describe('a key bound to a team', () => {
  it('admits for its team only', async () => {
    const salesKey = await fixture.newKey(['messages:write'], 'sales');
    const rows = await fixture.countMessages();
    const refused = await post(ticketEvent(), undefined, salesKey);
    expect(refused.statusCode).toBe(403);
    expect(problemOf(refused).code).toBe('MILLRACE_FORBIDDEN');
    const batch = await postBatch([ticketEvent({ originteam: 'sales' }), ticketEvent()], salesKey);
    expect(batch.body).toMatchObject({
      admitted: 1,
      refused: 1,
      results: [{ outcome: 'admitted' }, { problem: { code: 'MILLRACE_FORBIDDEN' } }],
    });
    expect(await fixture.countMessages()).toBe(rows + 1);
  });

  it('does not see whether another team has a message', async () => {
    const [id] = (await post(ticketEvent())).body.messageIds;
    const supportKey = await fixture.newKey(['messages:read'], 'support');
    const salesKey = await fixture.newKey(['messages:read'], 'sales');
    expect((await getMessage(id, supportKey)).statusCode).toBe(200);
    const hidden = await getMessage(id, salesKey);
    const absent = await getMessage('018f3a3e-0000-7000-8000-000000000000', salesKey);
    expect(hidden.statusCode).toBe(404);
    expect({ ...problemOf(hidden), instance: '' }).toEqual({ ...problemOf(absent), instance: '' });
  });
});

describe('a message', () => {
  const settlement = (id: string): SettledCall => ({
    id,
    state: 'settled',
    outcome: 'ok',
    settlement: 'reported',
    errorType: undefined,
    answeredModel: 'gpt-5-mini-2025',
    tier: 'standard',
    providerRequestId: undefined,
    tokens: {},
    rawUsage: undefined,
    costUsd: usd('0.000000000000000123'),
    upperBoundUsd: undefined,
    priceReference: undefined,
    priceCatalogue: undefined,
    wasteReason: undefined,
    durationMs: 5,
    firstChunkMs: undefined,
    answer: { json: '"a secret answer"' },
  });

  it('shows its calls with their exact cost, and what is still open, but no answers', async () => {
    const [id] = (await post(ticketEvent())).body.messageIds as [string];
    const leased = await claimOf(fixture.database, fixture.messages, id, 60_000);
    if (leased.kind !== 'leased') throw new Error(leased.kind);
    const calls = new CallLedger({ database: fixture.database, clock: systemClock });
    const reserve = (ordinal: number, fallbackFrom?: string) =>
      calls.reserve({
        id: callId(new Date(), id, 'answer', ordinal, 1),
        message: { id, fencingToken: leased.message.fencingToken },
        origin: undefined,
        step: 'answer',
        ordinal,
        attempt: 1,
        provider: 'openai',
        model: 'gpt-5-mini',
        operation: 'chat',
        tier: 'standard',
        requestKind: 'single',
        requestDigest: 'digest',
        fallbackFrom,
        upperBoundUsd: usd('0.25'),
      });
    const meant = 'anthropic/claude-haiku-4-5';
    expect(await Promise.all([reserve(1), reserve(2, meant)])).toEqual([
      { kind: 'reserved', at: expect.any(Date) },
      { kind: 'reserved', at: expect.any(Date) },
    ]);
    const first = (await calls.callsOf(id)).find(({ ordinal }) => ordinal === 1);
    expect(await calls.settle(settlement(first?.id ?? ''))).toBe(true);

    const response = await getMessage(id);
    const account = messageCostSchema.strict().parse(response.body);
    const cost = {
      calls: 2,
      costUsd: '0.000000000000000123',
      unpricedCalls: 0,
      unsettledCalls: 1,
      openUpperBoundUsd: '0.25',
    };
    expect(account).toMatchObject({
      state: 'leased',
      deliveries: 1,
      cost,
      tree: { messages: { leased: 1 }, cost },
    });
    expect(account.calls).toHaveLength(2);
    expect(account.calls.find(({ state }) => state === 'settled')).toMatchObject({
      model: 'gpt-5-mini',
      costUsd: '0.000000000000000123',
    });
    const open = account.calls.find(({ state }) => state === 'reserved');
    expect([open?.costUsd, open?.fallbackFrom]).toEqual([undefined, meant]);
    expect(account.calls.filter((call) => 'fallbackFrom' in call)).toEqual([open]);
    expect(response.text).not.toMatch(/secret answer|confidential/);
    expect(response.headers['cache-control']).toBe('no-store');
  });

  it.each(['x', '018f3a3e-0000-7000-8000-00000000000g', "' or 1=1"])('is not found under %s', async (id) => {
    const response = await getMessage(encodeURIComponent(id));
    expect(response.statusCode).toBe(404);
    expect(problemOf(response).code).toBe('MILLRACE_NOT_FOUND');
  });
});
