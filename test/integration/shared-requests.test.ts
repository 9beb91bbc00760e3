import { embed, embedMany } from 'ai';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BudgetLedger } from '../../src/capabilities/budgets/budget-ledger.ts';
import type { GateEnd, GateQuestion } from '../../src/engine/calls/call-gate.ts';
import type { OwningMessage } from '../../src/engine/calls/call-maker.ts';
import { formatUsd, usd } from '../../src/kernel/money.ts';
import { refusal, ScriptedEmbeddingModel } from '../../src/testing/scripted-model.ts';
import { quotasOf, someBudget } from '../support/budget-fixture.ts';
import { EmbeddingDouble } from '../support/embedding-double.ts';
import { type CallRow, failureOf, someOrigin, sumOfLines } from '../support/models-harness.ts';
import {
  fail,
  fullWith,
  inSimulator,
  openSharedRequests,
  reference,
  type SharedRequestsFixture,
  sumOfRows,
  texts,
} from '../support/shared-requests-fixture.ts';

/* Requests for embeddings that several messages share: each message's part is a call like any other, and the parts add up to the bill. */

let shared: SharedRequestsFixture;

beforeAll(async () => {
  shared = await openSharedRequests();
});
afterEach(() => shared.reset());
afterAll(() => shared.close());

describe('a request that several messages share', () => {
  it('is billed once, and the parts of its calls add up to the bill', async () => {
    const bill = await shared.billFrom();
    const metered = shared.simulated();
    const messages = await shared.messagesOf(5);
    const answers = await Promise.all(
      texts.map((value, place) =>
        shared.ask({
          metered,
          message: messages[place] ?? fail(),
          value,
          model: inSimulator,
          microBatch: fullWith(5),
        }),
      ),
    );
    const { totalUsd, requests } = await bill();
    const rows = await shared.models.callRows();
    expect(requests).toBe(1);
    expect(rows).toHaveLength(5);
    expect(new Set(rows.map(({ shared_request: request }) => request)).size).toBe(1);
    expect(rows[0]?.shared_request).not.toBeNull();
    expect(rows.every(({ state, settlement }) => state === 'settled' && settlement === 'reported')).toBe(
      true,
    );
    expect(sumOfRows(rows, 'cost_usd')).toBe(totalUsd);
    expect(new Set(rows.map(({ cost_usd: cost }) => cost)).size).toBeGreaterThan(3);
    const lines = await shared.models.usageLines();
    expect(formatUsd(sumOfLines(lines, 'cost_usd'))).toBe(totalUsd);
    expect(new Set(lines.map((line) => line['shared_request']))).toEqual(new Set([rows[0]?.shared_request]));
    expect(new Set(lines.map((line) => line['message_id']))).toEqual(new Set(messages.map(({ id }) => id)));
    expect(answers.map(({ usage }) => usage.tokens)).toEqual(
      rows
        .toSorted((a, b) => placeOf(messages, a) - placeOf(messages, b))
        .map(({ tokens }) => (JSON.parse(tokens ?? '{}') as { uncached_input: number }).uncached_input),
    );
    expect((await shared.models.metricLines('llm_shared_request_calls_total')).join()).toMatch(/ 5$/);
    expect((await shared.models.metricLines('llm_shared_requests_total')).join()).toMatch(/ 1$/);
    expect((await shared.models.metricLines('llm_requests_total')).join()).toMatch(/ 1$/);
    expect((await shared.models.metricLines('llm_inflight')).join()).toMatch(/ 0$/);
  });

  it('gives each its own vectors, and nothing of the others', async () => {
    const { model, metered } = shared.scripted(async (options) => ({
      ...(await new ScriptedEmbeddingModel().doEmbed(options)),
      response: {
        headers: { 'x-request-id': 'r1' },
        body: { usage: { total_tokens: 9 }, secret: options.values },
      },
    }));
    const [one, two] = await shared.messagesOf(2);
    const microBatch = fullWith(3);
    const [many, single] = await Promise.all([
      embedMany({
        model: shared.scopeOf(metered, one ?? fail()).embeddingModel(reference, { microBatch }),
        values: ['a', 'b'],
        maxRetries: 0,
      }),
      embed({
        model: shared.scopeOf(metered, two ?? fail()).embeddingModel(reference, { microBatch }),
        value: 'c',
        maxRetries: 0,
      }),
    ]);
    const alone = await new ScriptedEmbeddingModel().doEmbed({ values: ['a', 'b', 'c'] });
    expect(model.asked).toHaveLength(1);
    expect([...many.embeddings, single.embedding]).toEqual(alone.embeddings);
    expect(single.response?.body).toBeUndefined();
    expect((await shared.models.callRows()).every(({ provider_request_id: id }) => id === 'r1')).toBe(true);
  });

  it('has equal texts once, whose cost is shared by all who asked', async () => {
    const { model, metered } = shared.scripted();
    const messages = await shared.messagesOf(3);
    const answers = await Promise.all(
      ['the same text', 'another one', 'the same text'].map((value, place) =>
        shared.ask({ metered, message: messages[place] ?? fail(), value, microBatch: fullWith(3) }),
      ),
    );
    expect(model.asked).toEqual([['the same text', 'another one']]);
    expect(answers[2]?.embedding).toEqual(answers[0]?.embedding);
    expect(answers[1]?.embedding).not.toEqual(answers[0]?.embedding);
    const rows = await shared.models.callRows();
    const billed = Math.ceil('the same text'.length / 4) + Math.ceil('another one'.length / 4);
    expect(sumOfRows(rows, 'cost_usd')).toBe(formatUsd(usd('0.00000002').times(billed)));
    expect(answers.map(({ usage }) => usage.tokens).reduce((sum, count) => sum + count)).toBe(billed);
  });

  it('is none when nobody else comes within the window, or when the provider takes one text', async () => {
    const { model, metered } = shared.scripted();
    const [message] = await shared.messagesOf(1);
    await shared.ask({ metered, message: message ?? fail(), value: 'a', microBatch: { windowMs: 1 } });
    const narrow = new EmbeddingDouble(undefined, 1);
    const other = shared.models.metered({ scripted: { kind: 'custom', model: () => narrow } });
    const messages = await shared.messagesOf(2);
    await Promise.all(
      messages.map((each) =>
        shared.ask({ metered: other, message: each, value: 'b', microBatch: fullWith(2) }),
      ),
    );
    expect([...model.asked, ...narrow.asked]).toEqual([['a'], ['b'], ['b']]);
    expect((await shared.models.callRows()).every(({ shared_request: request }) => request === null)).toBe(
      true,
    );
  });

  it.each([
    { among: 'customer', requests: 3 },
    { among: 'team', requests: 2 },
    { among: 'all_teams', requests: 1 },
  ] as const)('among $among: three customers of two teams make $requests', async ({ among, requests }) => {
    const { model, metered } = shared.scripted();
    const messages = await shared.messagesOf(6);
    const owners = [
      { ...someOrigin, customer: 'acme' },
      { ...someOrigin, customer: 'umbra' },
      { ...someOrigin, team: 'green', customer: 'acme' },
    ];
    await Promise.all(
      messages.map((message, place) =>
        shared.ask({
          metered,
          message,
          value: `text ${place}`,
          origin: owners[place % 3] ?? fail(),
          microBatch: { among, windowMs: 50, maxInputs: 6 },
        }),
      ),
    );
    expect(model.asked).toHaveLength(requests);
    expect(await shared.models.callRows()).toHaveLength(6);
  });
});

describe('before it leaves', () => {
  it('who has lost the lease is left out, and the others are answered', async () => {
    const { model, metered } = shared.scripted();
    const [lost, ...others] = await shared.messagesOf(3);
    await shared.models.redeliver(lost ?? fail());
    const asked = [lost ?? fail(), ...others].map((message, place) =>
      shared.ask({ metered, message, value: `text ${place}`, microBatch: fullWith(3) }),
    );
    expect((await failureOf(asked[0] ?? fail())).code).toBe('MILLRACE_LEASE_EXPIRED');
    await Promise.all(asked.slice(1));
    expect(model.asked).toEqual([['text 1', 'text 2']]);
    expect(await shared.models.callRows()).toMatchObject([{ state: 'settled' }, { state: 'settled' }]);
  });

  it('who does not fit a budget is left out, and every budget holds its own part', async () => {
    const budgets = new BudgetLedger(shared.models.database);
    await shared.models.database.execute('truncate millrace.quotas, millrace.quota_windows');
    const definitions = [
      someBudget({ name: 'poor', customer: 'poor', limitUsd: '0.000000000001' }),
      someBudget({ name: 'rich', customer: 'rich' }),
    ];
    await budgets.define(definitions);
    const { model, metered } = shared.scripted(undefined, {
      quotas: quotasOf(definitions, shared.models.metrics),
    });
    const messages = await shared.messagesOf(3);
    const customers = ['poor', 'rich', 'rich'];
    const asked = messages.map((message, place) =>
      shared.ask({
        metered,
        message,
        value: `text ${place}`,
        origin: { ...someOrigin, customer: customers[place] ?? fail() },
        microBatch: fullWith(3),
      }),
    );
    await failureOf(asked[0] ?? fail());
    await Promise.all(asked.slice(1));
    expect(model.asked).toEqual([['text 1', 'text 2']]);
    const rows = await shared.models.callRows();
    const { rows: windows } = await shared.models.database.query<{
      quota: string;
      spent: string;
      reserved: string;
    }>({
      name: 'test.windows',
      text: 'select quota, spent::text, reserved::text from millrace.quota_windows order by quota',
    });
    const rich = windows.find(({ quota }) => quota === 'rich');
    expect(formatUsd(usd(rich?.spent ?? '0'))).toBe(sumOfRows(rows, 'cost_usd'));
    expect(windows.every(({ reserved }) => usd(reserved).isZero())).toBe(true);
    expect(await budgets.findFaults()).toEqual([]);
    await shared.models.database.execute('truncate millrace.quotas, millrace.quota_windows');
  });

  it('the gates are passed once, by the whole, and learn once how it ended', async () => {
    const questions: GateQuestion[] = [];
    const ends: GateEnd[] = [];
    const gate = {
      enter: (question: GateQuestion) => {
        questions.push(question);
        return Promise.resolve({ end: (end: GateEnd) => ends.push(end) });
      },
    };
    const { metered } = shared.scripted(undefined, { gates: [gate] });
    const messages = await shared.messagesOf(3);
    await Promise.all(
      messages.map((message) =>
        shared.ask({ metered, message, value: `text ${message.id.slice(-4)}`, microBatch: fullWith(3) }),
      ),
    );
    expect(questions).toMatchObject([{ maxInputTokens: 3 * (9 + 32), attempt: 1 }]);
    expect(ends).toMatchObject([{ kind: 'sent', failure: undefined, tokens: 9 }]);
  });

  it('a gate that refuses it puts every message aside, and nothing is sent', async () => {
    const gate = { enter: () => Promise.reject(refusal(429, 'not now')) };
    const { model, metered } = shared.scripted(undefined, { gates: [gate] });
    const messages = await shared.messagesOf(2);
    const asked = messages.map((message) =>
      shared.ask({ metered, message, value: message.id, microBatch: fullWith(2) }),
    );
    expect((await Promise.allSettled(asked)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(model.asked).toEqual([]);
    expect(await shared.models.callRows()).toEqual([]);
  });
});

function placeOf(messages: readonly OwningMessage[], row: CallRow): number {
  return messages.findIndex(({ id }) => id === row.message_id);
}
