import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { costReportSchema } from '../../src/capabilities/costs/cost-report-document.ts';
import { usageBatchReceiptSchema } from '../../src/capabilities/ingest/usage/usage.controller.ts';
import { usageReceiptSchema } from '../../src/capabilities/ingest/usage/usage-intake.ts';
import { Millrace } from '../../src/host/millrace.ts';
import { sumUsd, usd } from '../../src/kernel/money.ts';
import { problemSchema } from '../../src/http/problem.ts';
import { openStoryHost, type StoryHost } from '../support/story-host.ts';
import { requestTo } from './request-to.ts';

/* Calls that happened elsewhere, told by CloudEvents, on a host with its own stores. */

let running: StoryHost;
let key: string;
let teamKey: string;
beforeAll(async () => {
  running = await openStoryHost();
  key = await running.newKey(['usage:write', 'costs:read']);
  teamKey = await running.newKey(['usage:write', 'costs:read'], { team: 'blue', customer: 'acme' });
});
afterAll(() => running.close());

let told = 0;
/** gpt-5-mini: 0.25 a million of input, 0.025 of cached, 2 of output. */
const usage = { prompt_tokens: 1000, completion_tokens: 100, prompt_tokens_details: { cached_tokens: 400 } };
const cost = '0.00036';

function event(data: object = {}, attributes: object = {}): Record<string, unknown> {
  told += 1;
  return {
    specversion: '1.0',
    id: `call-${told}`,
    source: '/worker.py',
    type: 'millrace.usage',
    time: new Date().toISOString(),
    data: { provider: 'openai', model: 'gpt-5-mini', usage, ...data },
    ...attributes,
  };
}

const send = (body: object, mediaType: string, by = key) =>
  requestTo(running.url)
    .post('/v1/usage')
    .set('authorization', `Bearer ${by}`)
    .set('content-type', mediaType)
    .send(JSON.stringify(body));
const tell = async (body: object, by = key) => {
  const response = await send(body, 'application/cloudevents+json', by);
  expect(response.status, response.text).toBe(202);
  return usageReceiptSchema.strict().parse(response.body);
};
const refusal = async (body: object, by = key) => {
  const response = await send(body, 'application/cloudevents+json', by);
  expect(response.status).toBe(problemSchema.parse(response.body).status);
  return problemSchema.parse(response.body);
};
const tellAll = async (events: readonly object[], by = key) => {
  const response = await send(events, 'application/cloudevents-batch+json', by);
  return { status: response.status, ...usageBatchReceiptSchema.strict().parse(response.body) };
};

/** What the report says of a question, once everything is exported. */
async function costs(query: string, by = key) {
  await new Millrace(running.host).flushUsage();
  const response = await requestTo(running.url)
    .get(`/v1/costs?${query}`)
    .set('authorization', `Bearer ${by}`);
  expect(response.status, response.text).toBe(200);
  return costReportSchema.parse(response.body).groups;
}

describe('usage that happened elsewhere', () => {
  it('is priced by the price book, and in the reports by the way it came', async () => {
    const origin = { originteam: 'red', origincustomer: 'acme', originfeature: 'chat' };
    const receipt = await tell(event({ responseId: 'resp_1', costUsd: '0.0004' }, origin));
    expect(receipt).toMatchObject({ outcome: 'recorded', costUsd: cost, sourceCostUsd: '0.0004' });
    const anthropic = { input_tokens: 100, output_tokens: 10, cache_read_input_tokens: 50 };
    await tell(
      event({ provider: 'anthropic', model: 'claude-sonnet-4-5', usage: anthropic, step: 'answer' }, origin),
    );
    expect(await costs('group_by=via&team=red')).toMatchObject([{ key: { via: 'event' }, calls: 2 }]);
    // 100 × 3 + 50 × 0.3 + 10 × 15 a million.
    expect(await costs('group_by=model&team=red')).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ key: { model: 'gpt-5-mini' }, costUsd: cost }),
        expect.objectContaining({ costUsd: '0.000465' }),
      ]),
    );
  });

  it('is counted once, however often it is told: by its event, and by the id of its answer', async () => {
    const origin = { originteam: 'once' };
    const first = event({ responseId: 'resp_2' }, origin);
    const receipt = await tell(first);
    expect(await tell(first)).toMatchObject({ outcome: 'duplicate', callId: receipt.callId });
    // The same event with another time, and another event about the same answer.
    const again = { ...first, data: { ...(first['data'] as object), sentAt: '2026-01-01T00:00:00Z' } };
    expect((await refusal(again)).status).toBe(400);
    const other = event({ responseId: 'resp_2' }, origin);
    expect(await tell(other)).toMatchObject({ outcome: 'duplicate', callId: receipt.callId });
    // What named the second names the first now.
    const linked = { ...other, data: { ...(other['data'] as object), responseId: undefined } };
    expect(await tell(linked)).toMatchObject({ outcome: 'duplicate', callId: receipt.callId });
    expect(await costs('group_by=team&team=once')).toMatchObject([{ calls: 1, costUsd: cost }]);
  });

  it('is counted once when it is told many times at once', async () => {
    const origin = { originteam: 'storm' };
    const events = Array.from({ length: 40 }, (_, n) => event({ responseId: `storm_${n % 10}` }, origin));
    const answers = await Promise.all(Array.from({ length: 8 }, () => tellAll(events)));
    expect(answers.reduce((sum, { recorded }) => sum + recorded, 0)).toBe(10);
    expect(new Set(answers.map(({ duplicates, recorded }) => duplicates + recorded))).toEqual(new Set([40]));
    expect(await costs('group_by=team&team=storm')).toMatchObject([{ calls: 10, costUsd: '0.0036' }]);
  });

  it('is refused one by one in a batch, and the others are recorded', async () => {
    const origin = { originteam: 'mixed' };
    const wrong = [
      event({ usage: undefined }, origin),
      event({ usage: { prompt_tokens: 1e308, completion_tokens: 1 } }, origin),
      event({ usage: { prompt_tokens: -1, completion_tokens: 'NaN' } }, origin),
      event({ usage: { words: 3 } }, origin),
      event({ usage: undefined, tokens: { text_output: 1.5 } }, origin),
      event({ usage: undefined, tokens: { made_up: 1 } }, origin),
      event({ tokens: { text_output: 1 } }, origin),
      event({ provider: '' }, origin),
      event({ model: 'a\u0000b' }, origin),
      event({ responseId: 'x'.repeat(257) }, origin),
      event({ sentAt: new Date(Date.now() + 2 * 3_600_000).toISOString() }, origin),
      event({ sentAt: new Date(Date.now() - 36 * 86_400_000).toISOString() }, origin),
      event({ durationMs: -1 }, origin),
      event({ costUsd: '1e5' }, origin),
      event({ odd: 1 }, origin),
      event({}, { ...origin, type: 'ticket.opened' }),
      event({}, { ...origin, originlabels: '{' }),
      event({}, { ...origin, originteam: 'a\nb' }),
      'no object',
      null,
    ];
    const good = [
      event({}, origin),
      event({ outcome: 'error', usage: undefined, errorType: 'refused' }, origin),
    ];
    const { status, recorded, refused, results } = await tellAll([...wrong, ...good] as object[]);
    expect(status).toBe(207);
    const passed = results.flatMap(({ outcome }, place) => (outcome === 'recorded' ? [place] : []));
    expect({ recorded, refused, passed }).toEqual({
      recorded: 2,
      refused: wrong.length,
      passed: [wrong.length, wrong.length + 1],
    });
    for (const result of results)
      if (result.outcome === 'refused')
        expect(result.problem.status, JSON.stringify(result)).toBeLessThan(500);
    expect(await costs('group_by=team&team=mixed')).toMatchObject([{ calls: 2, costUsd: cost }]);
  });

  it('is of the team, the customer and the feature of the key, and of nobody where nobody says it', async () => {
    expect((await tell(event({}), teamKey)).outcome).toBe('recorded');
    expect(await refusal(event({}, { originteam: 'red' }), teamKey)).toMatchObject({ status: 403 });
    expect(await refusal(event({}, { origincustomer: 'initech' }), teamKey)).toMatchObject({ status: 403 });
    expect(await costs('group_by=customer,feature', teamKey)).toMatchObject([
      { key: { customer: 'acme', feature: 'unattributed' }, calls: 1 },
    ]);
    await tell(event({}));
    expect(await costs('group_by=team&team=unattributed')).toMatchObject([{ calls: 1 }]);
    // The answer that another team has told of stays what it is.
    await tell(event({ responseId: 'theirs' }, { originteam: 'red' }));
    expect(await tell(event({ responseId: 'theirs' }), teamKey)).toMatchObject({ outcome: 'recorded' });
  });

  it('without a known price is counted as such, and never as free', async () => {
    const receipt = await tell(event({ model: 'no-such-model' }, { originteam: 'odd' }));
    expect(receipt.costUsd).toBeUndefined();
    expect(await costs('group_by=team&team=odd')).toMatchObject([
      { calls: 1, unpricedCalls: 1, costUsd: '0' },
    ]);
  });

  it('of a closed month is booked in the one that is open', async () => {
    const origin = { originteam: 'late' };
    const sentAt = new Date(Date.now() - 34 * 86_400_000);
    const month = sentAt.toISOString().slice(0, 7);
    const closed = await requestTo(running.url)
      .post('/v1/periods/close')
      .set('authorization', `Bearer ${await running.newKey(['operations:write'])}`)
      .send({ month, timeZone: 'UTC' });
    expect(closed.status, closed.text).toBeLessThan(300);
    await tell(event({ sentAt: sentAt.toISOString() }, origin));
    const today = new Date().toISOString().slice(0, 10);
    expect(await costs(`group_by=day&team=late&from=${month}-01`)).toMatchObject([
      { key: { day: today }, calls: 1, costUsd: cost },
    ]);
  });

  it('adds up: every grouping has the sum of the receipts', async () => {
    const origins = ['a', 'b'].flatMap((customer) =>
      ['x', 'y'].map((feature) => ({ originteam: 'sum', origincustomer: customer, originfeature: feature })),
    );
    const events = origins.flatMap((origin, n) => [
      event({ usage: { prompt_tokens: 13 + n, completion_tokens: 7 * n } }, origin),
      event({ model: 'gpt-5-nano', usage: { prompt_tokens: 3, completion_tokens: n } }, origin),
    ]);
    const { results } = await tellAll(events);
    const billed = sumUsd(
      results.map((result) => usd(result.outcome === 'recorded' ? (result.costUsd ?? '0') : '0')),
    );
    for (const grouping of ['team', 'customer', 'customer,feature', 'model', 'via', 'day']) {
      const rows = await costs(`group_by=${grouping}&team=sum`);
      expect(sumUsd(rows.map(({ costUsd }) => usd(costUsd))).toFixed(), grouping).toBe(billed.toFixed());
    }
  });

  it("is taken as LiteLLM's proxy sends it, with its own cost beside the one that is booked", async () => {
    const now = Date.now() / 1000;
    const payload = (id: string, more: object = {}) => ({
      id,
      call_type: 'acompletion',
      status: 'success',
      custom_llm_provider: 'openai',
      model: 'gpt-5-mini',
      startTime: now - 2,
      endTime: now,
      response_cost: 0.00025,
      end_user: 'acme',
      request_tags: ['prod', 'feature:chat'],
      metadata: { user_api_key_team_alias: 'proxied' },
      response: { id: `chatcmpl-${id}`, usage },
      ...more,
    });
    const bodies = [
      payload('a'),
      payload('a'),
      payload('b', { response: {}, prompt_tokens: 600, completion_tokens: 100 }),
      payload('c', { cache_hit: true, response_cost: 0 }),
      payload('d', { status: 'failure', response: {}, error_information: { error_class: 'RateLimitError' } }),
      payload('e', { response_cost: 'much', startTime: 1e300 }),
      payload('f', { custom_llm_provider: 7 }),
      { ...payload('g'), id: undefined },
      'text',
    ];
    const response = await requestTo(running.url)
      .post('/v1/usage/litellm')
      .set('authorization', `Bearer ${key}`)
      .send(bodies);
    expect(response.status, response.text).toBe(207);
    const { results } = usageBatchReceiptSchema.strict().parse(response.body);
    expect(results.map(({ outcome }) => outcome)).toEqual([
      'recorded',
      'duplicate',
      'recorded',
      'recorded',
      'recorded',
      'recorded',
      'refused',
      'refused',
      'refused',
    ]);
    expect(results[0]).toMatchObject({ costUsd: cost, sourceCostUsd: '0.00025' });
    // a, b (600 × 0.25 + 100 × 2 a million) and e; what its cache answered, and what was refused, cost nothing.
    expect(await costs('group_by=customer,feature&team=proxied')).toMatchObject([
      { key: { customer: 'acme', feature: 'chat' }, calls: 5, costUsd: '0.00107' },
    ]);
  });

  it('needs its own right, and its own media types', async () => {
    const reader = await running.newKey(['costs:read', 'messages:write']);
    expect((await send(event(), 'application/cloudevents+json', reader)).status).toBe(403);
    expect((await send(event(), 'application/json')).status).toBe(415);
  });
});
