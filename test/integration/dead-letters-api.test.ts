import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  deadLetterListSchema,
  deadLetterSchema,
  discardResultSchema,
  replayResultSchema,
} from '../../src/capabilities/dead-letters/dead-letter-documents.ts';
import { ScriptedModel, TestKit } from '../../src/testing.ts';
import { AnswerStage, Template, TicketAnswered, TicketOpened } from './answer-stage.ts';
import { startApi } from './api-application.ts';
import { type ApiFixture, openApiFixture, problemOf } from './api-fixture.ts';
import { DeadLetterService } from '../../src/capabilities/dead-letters/dead-letter-service.ts';
import { requestTo } from './request-to.ts';

/* Dead letters over HTTP. What a test leaves dead is discarded after it. */

const usage = { uncachedInput: 1000, textOutput: 100 };
// 1000 × 0.25 + 100 × 2 dollars a million
const oneCall = '0.00045';

let fixture: ApiFixture;
let kit: TestKit;
let app: NestFastifyApplication;
let model: ScriptedModel;
const template = new Template();
/** Requests that earlier tests made. */
let requestsBefore = 0;
let operate: string;
let read: string;

beforeAll(async () => {
  fixture = await openApiFixture();
  operate = await fixture.newKey(['messages:read', 'operations:write']);
  read = await fixture.newKey(['messages:read', 'messages:data']);
  model = new ScriptedModel((_, request) => ({ text: `answer ${request}`, usage }), 'gpt-5-mini');
  kit = await TestKit.create({
    providers: [AnswerStage, { provide: Template, useValue: template }],
    models: { 'openai/gpt-5-mini': model },
  });
  app = await startApi(fixture.services({ provided: [[DeadLetterService, kit.millrace.deadLetters]] }));
});

afterAll(async () => {
  await app.close();
  await kit.close();
  await fixture.close();
});

beforeEach(() => {
  requestsBefore = model.requests.length;
});

afterEach(async () => {
  await kit.millrace.deadLetters.discard(
    { filter: {}, max: 1000, reason: 'the test is over' },
    { actor: 'test' },
  );
});

const requestsMade = () => model.requests.length - requestsBefore;

const get = (path: string, key = read) =>
  requestTo(app).get(`/v1/dead-letters${path}`).set('authorization', `Bearer ${key}`);
const post = (path: string, body: unknown, key = operate) =>
  requestTo(app)
    .post(`/v1/dead-letters/${path}`)
    .set({ authorization: `Bearer ${key}`, 'content-type': 'application/json' })
    .send(JSON.stringify(body));
const list = async (query = '', key = read) => {
  const response = await get(query, key);
  expect(response.statusCode, response.text).toBe(200);
  return deadLetterListSchema.strict().parse(response.body);
};
const show = async (id: string, key = read) => {
  const response = await get(`/${id}`, key);
  expect(response.statusCode, response.text).toBe(200);
  return deadLetterSchema.strict().parse(response.body);
};
const replay = async (body: unknown, key = operate) => {
  const response = await post('replay', body, key);
  expect(response.statusCode, response.text).toBe(200);
  return replayResultSchema.parse(response.body);
};

/** A message that dies because rendering fails. */
const die = async (customer = 'acme', team = 'support'): Promise<string> => {
  template.fault = 'the template has no end';
  const { messageIds } = await kit.millrace.admit(
    TicketOpened.v1,
    { subject: `Broken again, ${customer}` },
    { origin: { team, customer, feature: 'triage' } },
  );
  await kit.runDue();
  await kit.advance(1000);
  template.fault = undefined;
  return messageIds[0] ?? '';
};

const succeed = (customer = 'acme') =>
  kit.run(TicketOpened.v1, { subject: 'Fine' }, { origin: { team: 'support', customer, feature: 'triage' } });

describe('a dead letter', () => {
  it('shows its data only to keys that may see data, and tells others why not', async () => {
    const id = await die();
    const withoutData = await show(id, await fixture.newKey(['messages:read']));
    expect(withoutData.event).not.toHaveProperty('data');
    expect(withoutData.dataProblem).toEqual({
      code: 'MILLRACE_FORBIDDEN',
      message: expect.stringContaining('messages:data') as string,
    });
    expect(JSON.stringify(withoutData)).not.toContain('Broken again');
    expect(withoutData.failures).toHaveLength(2);
    for (const scopes of [['messages:read', 'messages:data'], ['admin']] as const) {
      const letter = await show(id, await fixture.newKey(scopes));
      expect(letter.event['data']).toEqual({ subject: 'Broken again, acme' });
    }
  });

  it('is shown with its event, every failed attempt, what was paid, and what a replay would reuse', async () => {
    const id = await die();
    const { deadLetters } = await list();
    expect(deadLetters).toMatchObject([
      {
        id,
        stage: 'answer',
        owner: 'platform',
        origin: { team: 'support', customer: 'acme' },
        errorCode: 'MILLRACE_STAGE_FAILED',
        totalAttempts: 2,
        paidUsd: oneCall,
      },
    ]);
    const letter = await show(id);
    expect(letter).toMatchObject({
      ...deadLetters[0],
      event: {
        specversion: '1.0',
        type: 'ticket.opened',
        schemaversion: 1,
        originteam: 'support',
        traceparent: expect.stringContaining(letter.traceId ?? 'no trace'),
        data: { subject: 'Broken again, acme' },
      },
      failures: [
        { life: 1, fencingToken: 1, code: 'MILLRACE_STAGE_FAILED', retryable: true },
        {
          life: 1,
          fencingToken: 2,
          code: 'MILLRACE_STAGE_FAILED',
          retryable: false,
          detail: { chain: [{ message: 'the template has no end' }] },
        },
      ],
      calls: [
        { life: 1, step: 'draft', state: 'settled', outcome: 'ok', costUsd: oneCall, isReusable: true },
      ],
      actions: [],
    });
    expect(letter.diedAt).toBeDefined();
  });

  it('is not found under another id, nor while its message is well', async () => {
    const run = await succeed();
    expect(run.state).toBe('completed');
    for (const id of ['x', '018f3a3e-0000-7000-8000-000000000000', encodeURIComponent("' or 1=1")]) {
      const response = await get(`/${id}`);
      expect(response.statusCode).toBe(404);
      expect(problemOf(response).code).toBe('MILLRACE_NOT_FOUND');
    }
    expect((await list()).deadLetters).toEqual([]);
  });

  it('is listed by filter, a page at a time', async () => {
    const ids = [await die('acme'), await die('initech'), await die('acme')];
    expect((await list('?customer=acme')).deadLetters.map(({ id }) => id)).toEqual([ids[2], ids[0]]);
    expect(
      (await list('?customer=acme&customer=initech&error_code=MILLRACE_STAGE_FAILED')).deadLetters,
    ).toHaveLength(3);
    expect((await list('?stage=other')).deadLetters).toEqual([]);
    const first = await list('?limit=2');
    expect(first.deadLetters.map(({ id }) => id)).toEqual([ids[2], ids[1]]);
    const second = await list(`?limit=2&after=${first.next}`);
    expect(second.deadLetters.map(({ id }) => id)).toEqual([ids[0]]);
    expect(second.next).toBeUndefined();
  });

  it.each([
    ['?stag=answer', 'stag'],
    ['?limit=0', 'limit'],
    ['?limit=201', 'limit'],
    ['?from=yesterday', 'from'],
    ['?discarded=maybe', 'discarded'],
    ['?after=x~y', 'after'],
    ['?customer=%00', 'customer.0'],
  ])('refuses the question %s', async (query, field) => {
    const response = await get(query);
    expect(response.statusCode).toBe(400);
    expect(problemOf(response).faults?.map((fault) => fault.field)).toEqual([field]);
  });
});

describe('a replay', () => {
  it('as a dry run says how many, what is reused and what it may cost, and changes nothing', async () => {
    await succeed();
    const id = await die();
    const before = [await list(), await show(id)];
    const plan = await replay({ filter: { stage: ['answer'] }, dryRun: true });
    const figures = {
      count: 1,
      reusableSteps: 1,
      reusableUsd: oneCall,
      paidUsd: oneCall,
      estimatedUsd: oneCall,
      mostExpensiveUsd: oneCall,
    };
    expect(plan).toEqual({
      dryRun: true,
      ...figures,
      hasMore: false,
      stages: [{ stage: 'answer', owner: 'platform', ...figures, sampleSize: expect.any(Number) }],
    });
    await kit.runDue();
    expect([await list(), await show(id)]).toEqual(before);
    expect(requestsMade()).toBe(3);
  });

  it('goes on where the message died: the paid step is not paid again', async () => {
    const id = await die();
    expect(requestsMade()).toBe(1);
    const result = await replay({ ids: [id], reason: 'the template is mended' });
    expect(result).toEqual({
      dryRun: false,
      actionId: expect.any(String),
      count: 1,
      hasMore: false,
      stages: [{ stage: 'answer', owner: 'platform', count: 1 }],
    });
    await kit.runDue();
    const run = await kit.look([id]);
    expect(run.state).toBe('completed');
    expect(run.emitted(TicketAnswered.v1)).toEqual([{ answer: `answer ${model.requests.length}` }]);
    expect(run.spend()).toEqual({ calls: 2, usd: '0.0009' });
    expect(requestsMade()).toBe(2);
    expect((await list()).deadLetters).toEqual([]);
    expect(await show(id)).toMatchObject({
      state: 'completed',
      replays: 1,
      calls: [
        { life: 1, step: 'draft' },
        { life: 2, step: 'check' },
      ],
    });
    expect(await replay({ ids: [id], reason: 'again' })).toEqual({
      dryRun: false,
      count: 0,
      hasMore: false,
      stages: [],
    });
  });

  it('that ends in a second death keeps the history of the first, and starts with fresh attempts', async () => {
    const id = await die();
    await replay({ ids: [id], reason: 'perhaps it was the weather' });
    template.fault = 'the template has no beginning';
    await kit.runDue();
    expect((await show(id)).state).toBe('pending');
    await kit.advance(1000);
    const letter = await show(id);
    expect(letter).toMatchObject({
      state: 'dead_lettered',
      attempts: 2,
      totalAttempts: 4,
      replays: 1,
      paidUsd: oneCall,
    });
    expect(letter.failures.map(({ life, fencingToken }) => [life, fencingToken])).toEqual([
      [1, 1],
      [1, 2],
      [2, 3],
      [2, 4],
    ]);
    expect(letter.actions).toMatchObject([
      {
        actor: expect.stringMatching(/^key:test:/),
        action: 'dead_letters.replay',
        reason: 'perhaps it was the weather',
        death: { errorCode: 'MILLRACE_STAGE_FAILED', fencingToken: 2, attempts: 2 },
      },
    ]);
    expect(requestsMade()).toBe(1);
  });

  it('is capped, oldest death first, and spread over time when a rate is given', async () => {
    const ids = [await die(), await die(), await die()];
    const capped = await replay({ filter: {}, max: 1, reason: 'one first' });
    expect(capped).toMatchObject({ count: 1, hasMore: true });
    await kit.runDue();
    expect((await show(ids[0] ?? '')).state).toBe('completed');
    await replay({ filter: {}, ratePerSecond: 0.1, reason: 'slowly' });
    await kit.runDue();
    expect([(await show(ids[1] ?? '')).state, (await show(ids[2] ?? '')).state]).toEqual([
      'completed',
      'pending',
    ]);
    await kit.advance(10_000);
    expect((await show(ids[2] ?? '')).state).toBe('completed');
  });

  it.each([
    [{}, ['ids', 'reason']],
    [{ filter: {} }, ['reason']],
    [{ filter: {}, reason: ' ' }, ['reason']],
    [{ ids: [], dryRun: true }, ['ids']],
    [{ ids: ['x'], dryRun: true }, ['ids.0']],
    [{ filter: { stag: ['answer'] }, dryRun: true }, ['filter.stag']],
    [{ filter: {}, dryRun: true, max: 10_001 }, ['max']],
    [{ filter: {}, dryRun: true, ratePerSecond: 0 }, ['ratePerSecond']],
    [[], ['request']],
  ])('refuses %j', async (body, fields) => {
    const response = await post('replay', body);
    expect(response.statusCode, response.text).toBe(400);
    expect(problemOf(response).faults?.map(({ field }) => field)).toEqual(fields);
  });
});

describe('a discard', () => {
  it('takes a dead letter out of the list without losing it', async () => {
    const id = await die('somebody');
    const response = await post('discard', { ids: [id], reason: 'a test customer' });
    expect(response.statusCode, response.text).toBe(200);
    expect(discardResultSchema.strict().parse(response.body)).toMatchObject({
      count: 1,
      stages: [{ stage: 'answer', count: 1 }],
    });
    expect((await list()).deadLetters).toEqual([]);
    expect((await list('?discarded=only&customer=somebody')).deadLetters).toMatchObject([
      { id, state: 'dead_lettered', discarded: { by: expect.stringMatching(/^key:test:/) } },
    ]);
    expect((await show(id)).actions).toMatchObject([
      { action: 'dead_letters.discard', reason: 'a test customer' },
    ]);
    expect(await replay({ ids: [id], reason: 'x' })).toMatchObject({ count: 0 });
    expect(
      await replay({ ids: [id], filter: { discarded: 'only' }, reason: 'the customer is real' }),
    ).toMatchObject({ count: 1 });
  });
});

describe('a key', () => {
  it('without operations:write may look, and not act', async () => {
    const id = await die();
    for (const path of ['replay', 'discard']) {
      const response = await post(path, { ids: [id], reason: 'x' }, read);
      expect(response.statusCode).toBe(403);
      expect(problemOf(response).detail).toContain('operations:write');
    }
    expect((await show(id)).state).toBe('dead_lettered');
    const writer = await fixture.newKey(['operations:write']);
    expect((await get('', writer)).statusCode).toBe(403);
  });

  it('bound to a team sees and touches that team only', async () => {
    const theirs = await die('acme', 'support');
    const ours = await die('acme', 'sales');
    const sales = await fixture.newKey(['messages:read', 'operations:write'], 'sales');
    expect((await list('', sales)).deadLetters.map(({ id }) => id)).toEqual([ours]);
    expect((await list('?team=support', sales)).deadLetters).toEqual([]);
    expect((await get(`/${theirs}`, sales)).statusCode).toBe(404);
    expect(await replay({ filter: {}, dryRun: true }, sales)).toMatchObject({ count: 1 });
    const discarded = await post('discard', { ids: [theirs], reason: 'x' }, sales);
    expect(discarded.body).toEqual({ count: 0, hasMore: false, stages: [] });
    expect(await replay({ filter: { team: ['support', 'sales'] }, reason: 'mended' }, sales)).toMatchObject({
      count: 1,
    });
    await kit.runDue();
    expect((await show(theirs)).state).toBe('dead_lettered');
    expect((await show(ours)).state).toBe('completed');
  });
});
