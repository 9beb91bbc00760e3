import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { EventIntake } from '../../src/app/http/event-intake.ts';
import type { HttpServices } from '../../src/app/http/http-api.module.ts';
import { problemSchema } from '../../src/app/http/problem.ts';
import { Readiness, type ReadinessCheck } from '../../src/app/http/readiness.ts';
import { listenHttp } from '../../src/app/http/server.ts';
import { type ApiScope, ApiKeys } from '../../src/costs/api-keys.ts';
import { CostReports } from '../../src/costs/cost-reports.ts';
import { MessageAccounts, messageAccountSchema } from '../../src/costs/message-accounts.ts';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import { FilesPayloadStore } from '../../src/drivers/payload-store/payload-store.files.ts';
import { migrate } from '../../src/drivers/sql-database/migrator.ts';
import { PgliteSqlDatabase } from '../../src/drivers/sql-database/sql-database.pglite.ts';
import { AppError } from '../../src/kernel/app-error.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { isUuid } from '../../src/kernel/ids.ts';
import { usd } from '../../src/kernel/money.ts';
import { CallLedger, callId, type CallSettlement } from '../../src/ledger/call-ledger.ts';
import { MessageLedger } from '../../src/ledger/message-ledger.ts';
import { defineMessage } from '../../src/messages/message-type.ts';
import { Admissions } from '../../src/pipeline/admissions.ts';
import { MessageBodies } from '../../src/pipeline/message-bodies.ts';
import type { Publisher } from '../../src/pipeline/publisher.ts';
import { defineStage } from '../../src/pipeline/stage-definition.ts';
import { type RegisteredStage, StageRegistry } from '../../src/pipeline/stage-registry.ts';
import { LogLines, startApi } from './api-application.ts';

/* Messages, health, metrics and everything around them over HTTP, on a real ledger. */

const TicketOpened = defineMessage('ticket.opened').version(1, z.strictObject({ subject: z.string().min(1) }));
const triage = defineStage('triage', { consumes: TicketOpened.upTo(1), pipeline: 'support' });
const bodyLimitBytes = 40_000;

let directory: string;
let database: PgliteSqlDatabase;
let messages: MessageLedger;
let keys: ApiKeys;
let admissions: Admissions;
let app: NestFastifyApplication;
let writeKey: string;
let readKey: string;
const lines = new LogLines();
const published: string[] = [];
let checks: ReadinessCheck[] = [];
let render: () => Promise<{ contentType: string; body: string }>;

const services = (overrides: Partial<HttpServices> = {}) => (logger: HttpServices['logger']): HttpServices => ({
  costReports: new CostReports({ store: { database: 'nowhere' } as ColumnStore }),
  apiKeys: keys,
  messageAccounts: new MessageAccounts(database),
  eventIntake: new EventIntake(admissions),
  readiness: new Readiness({ checks: [], clock: systemClock }),
  metrics: { render: () => render() },
  logger,
  clock: systemClock,
  authentication: 'keys',
  ...overrides,
});

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-http-api-'));
  database = await PgliteSqlDatabase.open();
  await migrate(database);
  messages = new MessageLedger({ database, clock: systemClock, worker: 'test' });
  const registry = new StageRegistry();
  registry.register([{ definition: triage, handler: { handle: () => undefined } } as unknown as RegisteredStage]);
  const payloads = await new FilesPayloadStore({ directory }).open(new Date());
  admissions = new Admissions({
    ledger: messages,
    registry,
    bodies: new MessageBodies(payloads, { inlineBytes: 1000, maxBytes: 20_000 }),
    publisher: { enqueued: ({ id }: { id: string }) => published.push(id) } as unknown as Publisher,
    clock: systemClock,
  });
  keys = new ApiKeys({ database, clock: systemClock });
  writeKey = await newKey(['messages:write']);
  readKey = await newKey(['messages:read']);
  const readiness = new Readiness({
    clock: systemClock,
    timeoutMs: 50,
    // The list is looked at when it is asked, so that a test can break a store.
    get checks() {
      return checks;
    },
  });
  app = await startApi(services({ readiness }), { lines, bodyLimitBytes });
});

afterAll(async () => {
  await app.close();
  await database.close();
  await rm(directory, { recursive: true, force: true });
});

beforeEach(() => {
  checks = [];
  published.length = 0;
  render = () => Promise.resolve({ contentType: 'text/plain; version=0.0.4; charset=utf-8', body: 'millrace_up 1\n' });
});

async function newKey(scopes: readonly ApiScope[], team?: string): Promise<string> {
  const { key } = await keys.create({ name: 'test', scopes, ...(team === undefined ? {} : { team }) });
  return key;
}

let eventNumber = 0;
const event = (overrides: Record<string, unknown> = {}): Record<string, unknown> => ({
  specversion: '1.0',
  id: `event-${++eventNumber}`,
  source: '/helpdesk',
  type: 'ticket.opened',
  originteam: 'support',
  origincustomer: 'acme',
  originfeature: 'triage',
  data: { subject: 'confidential-subject' },
  ...overrides,
});

const post = (body: unknown, contentType = 'application/cloudevents+json', key = writeKey) =>
  app.inject({
    method: 'POST',
    url: '/v1/messages',
    headers: { 'content-type': contentType, authorization: `Bearer ${key}` },
    payload: typeof body === 'string' ? body : JSON.stringify(body),
  });
const postBatch = (events: readonly unknown[], key = writeKey) => post(events, 'application/cloudevents-batch+json', key);
const getMessage = (id: string, key = readKey) =>
  app.inject({ url: `/v1/messages/${id}`, headers: { authorization: `Bearer ${key}` } });
const countRows = async (): Promise<number> =>
  (await database.query<{ n: number }>({ name: 'count', text: 'select count(*)::int as n from millrace.messages' })).rows[0]?.n ?? -1;

function problemOf(response: { readonly body: string; readonly headers: Record<string, unknown> }) {
  expect(response.headers['content-type']).toMatch(/^application\/problem\+json/);
  return problemSchema.strict().parse(JSON.parse(response.body));
}

describe('admitting an event', () => {
  it('answers with a receipt once the message is durable, and wakes its stage', async () => {
    const sent = event({ schemaversion: 1, item: 'ticket-7', lane: 'bulk', originlabels: '{"region":"eu"}', originbatch: 'b1' });
    const response = await post(sent, 'application/cloudevents+json; charset=utf-8');
    expect(response.statusCode, response.body).toBe(202);
    const receipt = response.json();
    expect(receipt).toEqual({ source: '/helpdesk', id: sent['id'], outcome: 'admitted', messageIds: [expect.any(String)] });
    expect(published).toEqual(receipt.messageIds);
    const found = await getMessage(receipt.messageIds[0]);
    expect(messageAccountSchema.strict().parse(found.json())).toMatchObject({
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
    const sent = event();
    const first = (await post(sent)).json();
    const rows = await countRows();
    const second = await post(sent);
    expect(second.statusCode).toBe(202);
    expect(second.json()).toEqual({ ...first, outcome: 'duplicate' });
    expect(await countRows()).toBe(rows);
  });

  it.each([
    ['an unknown type', event({ type: 'ticket.closed' }), 422, 'MILLRACE_MESSAGE_TYPE_UNKNOWN', /ticket\.opened/],
    ['a version that is too new', event({ schemaversion: 2 }), 422, 'MILLRACE_MESSAGE_VERSION_UNSUPPORTED', /"ticket\.opened" version 2 .* accepted: 1/],
    ['data that does not fit', event({ data: { subject: '', more: 1 } }), 422, 'MILLRACE_MESSAGE_INVALID', /data\.subject/],
    ['a lane that does not exist', event({ lane: 'fast' }), 400, 'MILLRACE_REQUEST_INVALID', /interactive/],
    ['data over the limit', event({ data: { subject: 'x'.repeat(20_000) } }), 413, 'MILLRACE_MESSAGE_TOO_LARGE', /20000/],
  ])('refuses %s and writes nothing', async (_, sent, status, code, detail) => {
    const rows = await countRows();
    const response = await post(sent);
    expect(response.statusCode, response.body).toBe(status);
    const problem = problemOf(response);
    expect(problem.code).toBe(code);
    expect(problem.detail).toMatch(detail);
    expect(await countRows()).toBe(rows);
  });

  it('names every fault of the envelope and the origin at once', async () => {
    const rows = await countRows();
    const response = await post(event({ specversion: '0.3', id: '', originteam: undefined, originlabels: '{', originFeature: 'x' }));
    expect(response.statusCode).toBe(400);
    expect(problemOf(response).faults?.map(({ field }) => field).toSorted()).toEqual([
      'id',
      'originFeature',
      'originlabels',
      'originteam',
      'specversion',
    ]);
    const withoutOrigin = await post(event({ originteam: undefined, origincustomer: ' acme' }));
    expect(withoutOrigin.statusCode).toBe(422);
    expect(problemOf(withoutOrigin)).toMatchObject({
      code: 'MILLRACE_ORIGIN_INVALID',
      faults: [{ field: 'originteam' }, { field: 'origincustomer' }],
    });
    expect(await countRows()).toBe(rows);
  });

  it.each([
    ['plain JSON', '{}', 'application/json', 415, 'MILLRACE_MEDIA_TYPE_UNSUPPORTED'],
    ['another type', 'x', 'text/xml', 415, 'MILLRACE_MEDIA_TYPE_UNSUPPORTED'],
    ['what is not JSON', '{"specversion":', 'application/cloudevents+json', 400, 'MILLRACE_REQUEST_INVALID'],
    ['nothing', '', 'application/cloudevents+json', 400, 'MILLRACE_REQUEST_INVALID'],
    ['a poisoned object', '{"__proto__":{"scopes":["admin"]}}', 'application/cloudevents+json', 400, 'MILLRACE_REQUEST_INVALID'],
    ['an array', '[]', 'application/cloudevents+json', 400, 'MILLRACE_REQUEST_INVALID'],
    ['null', 'null', 'application/cloudevents+json', 400, 'MILLRACE_REQUEST_INVALID'],
    ['a single event as a batch', '{}', 'application/cloudevents-batch+json', 400, 'MILLRACE_REQUEST_INVALID'],
    ['a body over the limit', `{"data":"${'x'.repeat(bodyLimitBytes)}"}`, 'application/cloudevents+json', 413, 'MILLRACE_REQUEST_TOO_LARGE'],
  ])('refuses %s', async (_, body, contentType, status, code) => {
    const response = await post(body, contentType);
    expect(response.statusCode, response.body).toBe(status);
    expect(problemOf(response).code).toBe(code);
  });
});

describe('admitting a batch', () => {
  it('answers for each event by itself, in their order', async () => {
    const repeated = event();
    await post(repeated);
    const rows = await countRows();
    const response = await postBatch([event(), event({ type: 'nobody.knows' }), repeated, 'x', event({ originteam: '' })]);
    expect(response.statusCode).toBe(207);
    const receipt = response.json();
    expect(receipt).toMatchObject({ admitted: 1, duplicates: 1, refused: 3 });
    expect(receipt.results.map((result: { outcome: string; problem?: { code: string } }) => result.problem?.code ?? result.outcome)).toEqual([
      'admitted',
      'MILLRACE_MESSAGE_TYPE_UNKNOWN',
      'duplicate',
      'MILLRACE_REQUEST_INVALID',
      'MILLRACE_ORIGIN_INVALID',
    ]);
    expect(await countRows()).toBe(rows + 1);
  });

  it('is plainly accepted when every event is', async () => {
    const response = await postBatch([event(), event()]);
    expect(response.statusCode).toBe(202);
    expect(response.json()).toMatchObject({ admitted: 2, duplicates: 0, refused: 0 });
    expect((await postBatch([])).statusCode).toBe(202);
  });

  it('is bounded', async () => {
    const rows = await countRows();
    const response = await postBatch(Array.from({ length: 1001 }, () => 1));
    expect(response.statusCode).toBe(400);
    expect(problemOf(response).detail).toContain('1000');
    expect(await countRows()).toBe(rows);
  });
});

describe('a key bound to a team', () => {
  it('admits for its team only', async () => {
    const salesKey = await newKey(['messages:write'], 'sales');
    const rows = await countRows();
    const refused = await post(event(), undefined, salesKey);
    expect(refused.statusCode).toBe(403);
    expect(problemOf(refused).code).toBe('MILLRACE_FORBIDDEN');
    const batch = await postBatch([event({ originteam: 'sales' }), event()], salesKey);
    expect(batch.json()).toMatchObject({ admitted: 1, refused: 1, results: [{ outcome: 'admitted' }, { problem: { code: 'MILLRACE_FORBIDDEN' } }] });
    expect(await countRows()).toBe(rows + 1);
  });

  it('does not see whether another team has a message', async () => {
    const [id] = (await post(event())).json().messageIds;
    const supportKey = await newKey(['messages:read'], 'support');
    const salesKey = await newKey(['messages:read'], 'sales');
    expect((await getMessage(id, supportKey)).statusCode).toBe(200);
    const hidden = await getMessage(id, salesKey);
    const absent = await getMessage('018f3a3e-0000-7000-8000-000000000000', salesKey);
    expect(hidden.statusCode).toBe(404);
    expect({ ...problemOf(hidden), instance: '' }).toEqual({ ...problemOf(absent), instance: '' });
  });
});

describe('a message', () => {
  const settlement = (id: string): CallSettlement => ({
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
    line: '{}',
  });

  it('shows its calls with their exact cost, and what is still open, but no answers', async () => {
    const [id] = (await post(event())).json().messageIds as [string];
    const leased = await messages.lease(id, 60_000);
    if (leased.kind !== 'leased') throw new Error(leased.kind);
    const calls = new CallLedger({ database, clock: systemClock });
    const reserve = (ordinal: number) =>
      calls.reserve({
        id: callId(new Date(), id, 'answer', ordinal, 1),
        message: { id, fence: leased.message.fence },
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
        upperBoundUsd: usd('0.25'),
      });
    expect(await Promise.all([reserve(1), reserve(2)])).toEqual([true, true]);
    const [first] = await calls.callsOf(id);
    expect(await calls.settle(settlement(first?.id ?? ''))).toBe(true);

    const response = await getMessage(id);
    const account = messageAccountSchema.strict().parse(response.json());
    const cost = { calls: 2, costUsd: '0.000000000000000123', unpricedCalls: 0, unsettledCalls: 1, openUpperBoundUsd: '0.25' };
    expect(account).toMatchObject({ state: 'leased', deliveries: 1, cost, tree: { messages: { leased: 1 }, cost } });
    expect(account.calls.map(({ state, costUsd }) => [state, costUsd]).toSorted()).toEqual([
      ['reserved', undefined],
      ['settled', '0.000000000000000123'],
    ]);
    expect(response.body).not.toMatch(/secret answer|confidential/);
    expect(response.headers['cache-control']).toBe('no-store');
  });

  it.each(['x', '018f3a3e-0000-7000-8000-00000000000g', "' or 1=1"])('is not found under %s', async (id) => {
    const response = await getMessage(encodeURIComponent(id));
    expect(response.statusCode).toBe(404);
    expect(problemOf(response).code).toBe('MILLRACE_NOT_FOUND');
  });
});

describe('health', () => {
  const check = (name: string, isRequired: boolean, ping: () => Promise<void>): ReadinessCheck => ({ name, isRequired, ping });
  const up = (): Promise<void> => Promise.resolve();
  const down = (): Promise<void> => Promise.reject(new AppError('MILLRACE_COLUMN_STORE_UNAVAILABLE', 'no route to secret-host'));
  const ready = () => app.inject({ url: '/health/ready' });

  it('is live as long as the process answers', async () => {
    const response = await app.inject({ url: '/health/live' });
    expect([response.statusCode, response.json()]).toEqual([200, { status: 'live' }]);
  });

  it('is ready while every store answers', async () => {
    checks = [check('ledger', true, () => database.ping()), check('column_store', false, up)];
    const response = await ready();
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({
      status: 'ready',
      checks: { ledger: { status: 'up', required: true }, column_store: { status: 'up', required: false } },
    });
  });

  it('is degraded, and keeps its traffic, while a store is away that it can do without', async () => {
    checks = [check('ledger', true, up), check('column_store', false, down)];
    const response = await ready();
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({
      status: 'degraded',
      checks: { column_store: { status: 'down', code: 'MILLRACE_COLUMN_STORE_UNAVAILABLE' } },
    });
    expect(response.body).not.toContain('secret-host');
  });

  it('is not ready while a store is away that it needs', async () => {
    checks = [check('ledger', true, down), check('queue', true, up)];
    const response = await ready();
    expect([response.statusCode, response.json().status]).toEqual([503, 'not_ready']);
  });

  it('does not wait for a store that hangs', async () => {
    checks = [check('queue', true, () => new Promise(() => undefined))];
    const response = await ready();
    expect(response.statusCode).toBe(503);
    expect(response.json()).toMatchObject({ checks: { queue: { status: 'down', code: 'TIMEOUT' } } });
  });
});

describe('every answer', () => {
  it('carries the id of its request: the given one, or a new one', async () => {
    const idFor = async (given?: string) =>
      (await app.inject({ url: '/health/live', headers: given === undefined ? {} : { 'x-request-id': given } })).headers['x-request-id'];
    expect(await idFor('abc-123')).toBe('abc-123');
    for (const bad of [undefined, 'x'.repeat(129), 'with space', '<script>']) {
      expect(isUuid(String(await idFor(bad))), bad).toBe(true);
    }
  });

  it.each(['/health/live', '/nowhere', '/v1/costs', '/%zz', '/docs'])('keeps browsers in check: %s', async (url) => {
    const { headers } = await app.inject({ url });
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY', 'referrer-policy': 'no-referrer' });
    expect(headers['content-security-policy']).toMatch(/^default-src 'none'/);
  });

  it.each([
    ['GET', '/nowhere?customer=acme', 404, 'MILLRACE_NOT_FOUND', '/nowhere'],
    ['DELETE', '/v1/messages', 404, 'MILLRACE_NOT_FOUND', '/v1/messages'],
    ['GET', '/%zz', 400, 'MILLRACE_REQUEST_INVALID', '/%zz'],
  ] as const)('is a problem document for %s %s', async (method, url, status, code, instance) => {
    const response = await app.inject({ method, url });
    expect(response.statusCode).toBe(status);
    expect(problemOf(response)).toMatchObject({ code, instance, status });
  });

  it('says nothing about what went wrong inside; the log does, once', async () => {
    render = () => Promise.reject(new TypeError('inner detail'));
    const response = await app.inject({ url: '/metrics', headers: { 'x-request-id': 'failing-1' } });
    expect(response.statusCode).toBe(500);
    expect(problemOf(response)).toMatchObject({ code: 'MILLRACE_INTERNAL', retryable: false });
    expect(response.body).not.toContain('inner detail');
    const logged = lines.parsed.filter((line) => JSON.stringify(line).includes('inner detail'));
    expect(logged).toHaveLength(1);
    expect(logged[0]).toMatchObject({ level: 'error', requestId: 'failing-1', error: { name: 'TypeError', message: 'inner detail' } });
  });
});

describe('the log', () => {
  it('has a line for each request, without keys, queries or payloads', async () => {
    await app.inject({
      method: 'POST',
      url: '/v1/messages?token=in-the-query',
      headers: { 'content-type': 'application/cloudevents+json', authorization: `Bearer ${writeKey}`, 'x-request-id': 'logged-1' },
      payload: JSON.stringify(event()),
    });
    console.log(lines.parsed.slice(-3));
    const line = lines.parsed.find((entry) => entry['requestId'] === 'logged-1' && entry['message'] === 'request answered');
    expect(line).toMatchObject({ level: 'info', method: 'POST', path: '/v1/messages', res: { statusCode: 202 }, durationMs: expect.any(Number) });
    expect(lines.text).not.toMatch(/confidential-subject|in-the-query|mr_[0-9A-Za-z]{20}/);
    expect(lines.text).not.toContain('/health/live');
  });
});

describe('the OpenAPI document', () => {
  const documentSchema = z.object({
    openapi: z.literal('3.1.0'),
    info: z.object({ title: z.literal('Millrace'), version: z.literal('1.2.3') }),
    paths: z.record(
      z.string().startsWith('/'),
      z.record(
        z.string(),
        z.object({
          operationId: z.string(),
          summary: z.string(),
          responses: z.record(z.string(), z.unknown()),
          security: z.array(z.unknown()).optional(),
        }),
      ),
    ),
    components: z.object({ schemas: z.record(z.string(), z.unknown()), securitySchemes: z.object({ bearer: z.unknown() }) }),
  });
  const load = async () => {
    const response = await app.inject({ url: '/openapi.json' });
    expect(response.statusCode).toBe(200);
    return { raw: response.json(), document: documentSchema.parse(response.json()) };
  };

  it('lists every route', async () => {
    const { document } = await load();
    const listed = Object.entries(document.paths).flatMap(([path, item]) => Object.keys(item).map((method) => `${method} ${path}`));
    expect(listed.toSorted()).toEqual([
      'get /health/live',
      'get /health/ready',
      'get /metrics',
      'get /v1/costs',
      'get /v1/messages/{id}',
      'post /v1/messages',
    ]);
  });

  it('refers to nothing that it does not hold', async () => {
    const { raw } = await load();
    const references = [...JSON.stringify(raw).matchAll(/"\$ref":"#\/([^"]+)"/g)].map((match) => match[1] ?? '');
    expect(references.length).toBeGreaterThan(10);
    for (const reference of references) {
      const target = reference.split('/').reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], raw);
      expect(target, reference).toBeTypeOf('object');
    }
  });

  it('asks for a key exactly where the server does', async () => {
    const { document } = await load();
    for (const [path, item] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(item)) {
        const response = await app.inject({ method: method.toUpperCase() as 'GET', url: path.replace('{id}', 'x') });
        const asksForKey = (operation.security ?? []).length > 0;
        expect(asksForKey, path).toBe(path.startsWith('/v1/'));
        expect(response.statusCode === 401, path).toBe(asksForKey);
        if (asksForKey) expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(['401', '403', 'default']));
      }
    }
  });

  it('says which bodies are accepted, and how errors look', async () => {
    const { raw } = await load();
    expect(Object.keys(raw.paths['/v1/messages'].post.requestBody.content)).toEqual([
      'application/cloudevents+json',
      'application/cloudevents-batch+json',
    ]);
    expect(Object.keys(raw.components.responses.Problem.content)).toEqual(['application/problem+json']);
    expect(raw.components.schemas.Problem.required).toContain('code');
    expect(raw.paths['/v1/costs'].get.parameters.map(({ name }: { name: string }) => name)).toEqual(
      expect.arrayContaining(['group_by', 'from', 'to', 'order', 'limit', 'team', 'model']),
    );
  });

  it('has a page that loads nothing from elsewhere', async () => {
    const page = await app.inject({ url: '/docs' });
    expect(page.statusCode).toBe(200);
    expect(page.headers['content-type']).toContain('text/html');
    const assets = [...page.body.matchAll(/(?:src|href)=["']([^"']+)["']/g)].map((match) => match[1] ?? '').filter((url) => !url.startsWith('#'));
    expect(assets.length).toBeGreaterThan(3);
    for (const asset of assets) {
      expect(asset).toMatch(/^\.\/docs\//);
      const response = await app.inject({ url: asset.slice(1) });
      expect(response.statusCode, asset).toBe(200);
    }
    expect(page.headers['content-security-policy']).toContain("script-src 'self'");
  });
});

describe('without authentication', () => {
  it('serves this machine only', async () => {
    const open = await startApi(services({ authentication: 'none' }), { bodyLimitBytes });
    const [id] = (await post(event())).json().messageIds as [string];
    const url = `/v1/messages/${id}`;
    const status = async (host: string, remoteAddress: string) => (await open.inject({ url, headers: { host }, remoteAddress })).statusCode;
    expect(await status('localhost:8080', '127.0.0.1')).toBe(200);
    expect(await status('[::1]:8080', '::1')).toBe(200);
    expect(await status('127.0.0.1', '::ffff:127.0.0.1')).toBe(200);
    expect(await status('localhost:8080', '192.168.1.7')).toBe(403);
    expect(await status('rebound.example:8080', '127.0.0.1')).toBe(403);
    await expect(listenHttp(open, { host: '0.0.0.0', port: 0 })).rejects.toMatchObject({ code: 'MILLRACE_CONFIG_INVALID' });
    await open.close();
  });
});

describe('the server', () => {
  it('listens, says where, and names an address that is taken', async () => {
    const first = await startApi(services());
    const url = await listenHttp(first, { host: '127.0.0.1', port: 0 });
    expect(await (await fetch(`${url}/health/live`)).json()).toEqual({ status: 'live' });
    const second = await startApi(services());
    const port = Number(new URL(url).port);
    await expect(listenHttp(second, { host: '127.0.0.1', port })).rejects.toMatchObject({
      code: 'MILLRACE_HTTP_ADDRESS_UNAVAILABLE',
    });
    await Promise.all([first.close(), second.close()]);
  });

  it('answers the requests in hand before it closes', async () => {
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<{ contentType: string; body: string }>();
    render = () => {
      asked.resolve();
      return answer.promise;
    };
    const server = await startApi(services());
    const url = await listenHttp(server, { host: '127.0.0.1', port: 0 });
    const response = fetch(`${url}/metrics`);
    await asked.promise;
    let isClosed = false;
    const closing = server.close().then(() => {
      isClosed = true;
    });
    // Whether it is refused a connection or answered 503, it is not served.
    const late = await fetch(`${url}/health/live`).then(
      ({ status }) => status,
      () => 503,
    );
    expect(late).toBe(503);
    expect(isClosed).toBe(false);
    answer.resolve({ contentType: 'text/plain', body: 'the last words' });
    expect(await (await response).text()).toBe('the last words');
    await closing;
  });
});
