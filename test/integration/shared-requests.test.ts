import { embed, embedMany } from 'ai';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { BudgetLedger } from '../../src/capabilities/budgets/budget-ledger.ts';
import type { GateEnd, GateQuestion } from '../../src/engine/calls/call-gate.ts';
import type { CallGroup } from '../../src/engine/calls/call-group.ts';
import type { OwningMessage } from '../../src/engine/calls/call-maker.ts';
import type { MeteredModelsOptions } from '../../src/engine/calls/compose-metered-models.ts';
import type { MeteredModels } from '../../src/engine/calls/metered-models.ts';
import type { MicroBatchOptions } from '../../src/engine/calls/micro-batch-settings.ts';
import type { CallLedger, SettledCall } from '../../src/engine/ledger/call-ledger.ts';
import { AbandonedCalls } from '../../src/engine/maintenance/abandoned-calls.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { formatUsd, sumUsd, usd } from '../../src/kernel/money.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { refusal, ScriptedEmbeddingModel } from '../../src/testing/scripted-model.ts';
import { quotasOf, someBudget } from '../support/budget-fixture.ts';
import { type BeforeAnswer, EmbeddingDouble } from '../support/embedding-double.ts';
import {
  type CallRow,
  failureOf,
  type ModelsHarness,
  openMeteredModels,
  someOrigin,
  sumOfLines,
} from '../support/models-harness.ts';

/*
 * Requests for embeddings that several messages share: each message's part is a call like any other, and the parts add up to what the
 * provider bills. A batch is full, and leaves, with the last of the expected calls: no test waits for a window.
 */

let models: ModelsHarness;
let simulator: Simulator;
const scopes: CallGroup[] = [];

beforeAll(async () => {
  models = await openMeteredModels();
  simulator = await startSimulator({ seed: 11, latency: { medianMs: 0 } });
});
beforeEach(() => models.clear());
afterEach(async () => {
  await Promise.all(scopes.splice(0).map((scope) => scope.close()));
});
afterAll(async () => {
  await simulator.close();
  await models.close();
});

const reference = 'scripted/text-embedding-3-small';
const inSimulator = 'openai/text-embedding-3-small';

function scripted(
  before?: BeforeAnswer,
  options: Partial<MeteredModelsOptions> = {},
): { readonly model: EmbeddingDouble; readonly metered: MeteredModels } {
  const model = new EmbeddingDouble(before);
  return { model, metered: models.metered({ scripted: { kind: 'custom', model: () => model } }, options) };
}

function simulated(options: Partial<MeteredModelsOptions> = {}): MeteredModels {
  const baseUrl = `${simulator.url}/openai/v1`;
  return models.metered({ openai: { kind: 'openai', baseUrl, apiKey: 'key', timeoutMs: 60_000 } }, options);
}

interface Asking {
  readonly metered: MeteredModels;
  readonly message: OwningMessage;
  readonly value: string;
  readonly microBatch: MicroBatchOptions;
  readonly model?: string;
  readonly origin?: typeof someOrigin;
  readonly signal?: AbortSignal;
}

/** A run of a handler that embeds one text. */
function ask({ metered, message, value, microBatch, model = reference, ...rest }: Asking) {
  const { origin = someOrigin, signal } = rest;
  const scope = metered.openScope({ origin, message, signal: new AbortController().signal });
  scopes.push(scope);
  const used = scope.embeddingModel(model, { step: 'vector', microBatch });
  return embed({ model: used, value, maxRetries: 0, ...(signal === undefined ? {} : { abortSignal: signal }) });
}

const messagesOf = (count: number): Promise<readonly OwningMessage[]> =>
  Promise.all(Array.from({ length: count }, () => models.leasedMessage()));

/** Closes with the last of so many texts. */
const fullWith = (maxInputs: number): MicroBatchOptions => ({ maxInputs, windowMs: 1000 });

const texts = [
  'The tide rises twice a day.',
  'Ebb',
  'A much longer text about rivers, roads and roofs. '.repeat(9),
  'Überfälle im Wald – 海の潮',
  'five words are in here',
];

const sumOfRows = (rows: readonly CallRow[], column: 'cost_usd' | 'upper_bound_usd'): string =>
  formatUsd(sumUsd(rows.map((row) => usd(row[column] ?? '0'))));

/** What the provider bills from here on. */
async function billFrom(): Promise<() => Promise<{ readonly totalUsd: string; readonly requests: number }>> {
  const { next } = await simulator.bill();
  return async () => await simulator.bill({ since: next });
}

describe('a request that several messages share', () => {
  it('is billed once, and the parts of its calls add up to the bill', async () => {
    const bill = await billFrom();
    const metered = simulated();
    const messages = await messagesOf(5);
    const answers = await Promise.all(
      texts.map((value, place) =>
        ask({ metered, message: messages[place] ?? fail(), value, model: inSimulator, microBatch: fullWith(5) }),
      ),
    );
    const { totalUsd, requests } = await bill();
    const rows = await models.callRows();
    expect(requests).toBe(1);
    expect(rows).toHaveLength(5);
    expect(new Set(rows.map(({ shared_request: shared }) => shared)).size).toBe(1);
    expect(rows[0]?.shared_request).not.toBeNull();
    expect(rows.every(({ state, settlement }) => state === 'settled' && settlement === 'reported')).toBe(true);
    expect(sumOfRows(rows, 'cost_usd')).toBe(totalUsd);
    expect(new Set(rows.map(({ cost_usd: cost }) => cost)).size).toBeGreaterThan(3);
    const lines = await models.usageLines();
    expect(formatUsd(sumOfLines(lines, 'cost_usd'))).toBe(totalUsd);
    expect(new Set(lines.map((line) => line['shared_request']))).toEqual(new Set([rows[0]?.shared_request]));
    expect(new Set(lines.map((line) => line['message_id']))).toEqual(new Set(messages.map(({ id }) => id)));
    expect(answers.map(({ usage }) => usage.tokens)).toEqual(
      rows
        .toSorted((a, b) => placeOf(messages, a) - placeOf(messages, b))
        .map(({ tokens }) => (JSON.parse(tokens ?? '{}') as { uncached_input: number }).uncached_input),
    );
    expect((await models.metricLines('llm_shared_request_calls_total')).join()).toMatch(/ 5$/);
    expect((await models.metricLines('llm_shared_requests_total')).join()).toMatch(/ 1$/);
    expect((await models.metricLines('llm_requests_total')).join()).toMatch(/ 1$/);
    expect((await models.metricLines('llm_inflight')).join()).toMatch(/ 0$/);
  });

  it('gives each its own vectors, and nothing of the others', async () => {
    const { model, metered } = scripted(async (options) => ({
      ...(await new ScriptedEmbeddingModel().doEmbed(options)),
      response: { headers: { 'x-request-id': 'r1' }, body: { usage: { total_tokens: 9 }, secret: options.values } },
    }));
    const [one, two] = await messagesOf(2);
    const microBatch = fullWith(3);
    const scope = metered.openScope({ origin: someOrigin, message: one, signal: new AbortController().signal });
    scopes.push(scope);
    const [many, single] = await Promise.all([
      embedMany({ model: scope.embeddingModel(reference, { microBatch }), values: ['a', 'b'], maxRetries: 0 }),
      (async () => {
        const other = metered.openScope({ origin: someOrigin, message: two, signal: new AbortController().signal });
        scopes.push(other);
        return await embed({ model: other.embeddingModel(reference, { microBatch }), value: 'c', maxRetries: 0 });
      })(),
    ]);
    const alone = await new ScriptedEmbeddingModel().doEmbed({ values: ['a', 'b', 'c'] });
    expect(model.asked).toHaveLength(1);
    expect([...many.embeddings, single.embedding]).toEqual(alone.embeddings);
    expect(single.response?.body).toBeUndefined();
    expect((await models.callRows()).every(({ provider_request_id: id }) => id === 'r1')).toBe(true);
  });

  it('has equal texts once, whose cost is shared by all who asked', async () => {
    const { model, metered } = scripted();
    const messages = await messagesOf(3);
    const answers = await Promise.all(
      ['the same text', 'another one', 'the same text'].map((value, place) =>
        ask({ metered, message: messages[place] ?? fail(), value, microBatch: fullWith(3) }),
      ),
    );
    expect(model.asked).toEqual([['the same text', 'another one']]);
    expect(answers[2]?.embedding).toEqual(answers[0]?.embedding);
    expect(answers[1]?.embedding).not.toEqual(answers[0]?.embedding);
    const rows = await models.callRows();
    const billed = Math.ceil('the same text'.length / 4) + Math.ceil('another one'.length / 4);
    expect(sumOfRows(rows, 'cost_usd')).toBe(formatUsd(usd('0.00000002').times(billed)));
    expect(answers.map(({ usage }) => usage.tokens).reduce((sum, count) => sum + count)).toBe(billed);
  });

  it('is none when nobody else comes within the window, or when the provider takes one text', async () => {
    const { model, metered } = scripted();
    const [message] = await messagesOf(1);
    await ask({ metered, message: message ?? fail(), value: 'a', microBatch: { windowMs: 1 } });
    const narrow = new EmbeddingDouble(undefined, 1);
    const other = models.metered({ scripted: { kind: 'custom', model: () => narrow } });
    const messages = await messagesOf(2);
    await Promise.all(messages.map((each) => ask({ metered: other, message: each, value: 'b', microBatch: fullWith(2) })));
    expect([...model.asked, ...narrow.asked]).toEqual([['a'], ['b'], ['b']]);
    expect((await models.callRows()).every(({ shared_request: shared }) => shared === null)).toBe(true);
  });

  it.each([
    { among: 'customer', requests: 3 },
    { among: 'team', requests: 2 },
    { among: 'all_teams', requests: 1 },
  ] as const)('among $among: three customers of two teams make $requests', async ({ among, requests }) => {
    const { model, metered } = scripted();
    const messages = await messagesOf(6);
    const owners = [
      { ...someOrigin, customer: 'acme' },
      { ...someOrigin, customer: 'umbra' },
      { ...someOrigin, team: 'green', customer: 'acme' },
    ];
    await Promise.all(
      messages.map((message, place) =>
        ask({
          metered,
          message,
          value: `text ${place}`,
          origin: owners[place % 3] ?? fail(),
          microBatch: { among, windowMs: 50, maxInputs: 6 },
        }),
      ),
    );
    expect(model.asked).toHaveLength(requests);
    expect(await models.callRows()).toHaveLength(6);
  });
});

describe('before it leaves', () => {
  it('who has lost the lease is left out, and the others are answered', async () => {
    const { model, metered } = scripted();
    const [lost, ...others] = await messagesOf(3);
    await models.redeliver(lost ?? fail());
    const asked = [lost ?? fail(), ...others].map((message, place) =>
      ask({ metered, message, value: `text ${place}`, microBatch: fullWith(3) }),
    );
    expect((await failureOf(asked[0] ?? fail())).code).toBe('MILLRACE_LEASE_EXPIRED');
    await Promise.all(asked.slice(1));
    expect(model.asked).toEqual([['text 1', 'text 2']]);
    expect(await models.callRows()).toMatchObject([{ state: 'settled' }, { state: 'settled' }]);
  });

  it('who does not fit a budget is left out, and every budget holds its own part', async () => {
    const budgets = new BudgetLedger(models.database);
    await models.database.execute('truncate millrace.quotas, millrace.quota_windows');
    const definitions = [
      someBudget({ name: 'poor', customer: 'poor', limitUsd: '0.000000000001' }),
      someBudget({ name: 'rich', customer: 'rich' }),
    ];
    await budgets.define(definitions);
    const { model, metered } = scripted(undefined, { quotas: quotasOf(definitions, models.metrics) });
    const messages = await messagesOf(3);
    const customers = ['poor', 'rich', 'rich'];
    const asked = messages.map((message, place) =>
      ask({
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
    const rows = await models.callRows();
    const { rows: windows } = await models.database.query<{ quota: string; spent: string; reserved: string }>({
      name: 'test.windows',
      text: 'select quota, spent::text, reserved::text from millrace.quota_windows order by quota',
    });
    const rich = windows.find(({ quota }) => quota === 'rich');
    expect(formatUsd(usd(rich?.spent ?? '0'))).toBe(sumOfRows(rows, 'cost_usd'));
    expect(windows.every(({ reserved }) => usd(reserved).isZero())).toBe(true);
    expect(await budgets.findFaults()).toEqual([]);
    await models.database.execute('truncate millrace.quotas, millrace.quota_windows');
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
    const { metered } = scripted(undefined, { gates: [gate] });
    const messages = await messagesOf(3);
    await Promise.all(
      messages.map((message) => ask({ metered, message, value: `text ${message.id.slice(-4)}`, microBatch: fullWith(3) })),
    );
    expect(questions).toMatchObject([{ maxInputTokens: 3 * (9 + 32), attempt: 1 }]);
    expect(ends).toMatchObject([{ kind: 'sent', failure: undefined, tokens: 9 }]);
  });

  it('a gate that refuses it puts every message aside, and nothing is sent', async () => {
    const gate = { enter: () => Promise.reject(refusal(429, 'not now')) };
    const { model, metered } = scripted(undefined, { gates: [gate] });
    const messages = await messagesOf(2);
    const asked = messages.map((message) => ask({ metered, message, value: message.id, microBatch: fullWith(2) }));
    expect((await Promise.allSettled(asked)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(model.asked).toEqual([]);
    expect(await models.callRows()).toEqual([]);
  });
});

describe('when it is refused', () => {
  it('for what one text holds, each asks alone, and only that one fails', async () => {
    const { model, metered } = scripted(({ values }) => {
      if (values.some((value) => value.includes('poison'))) throw refusal(400, 'invalid input');
      return undefined;
    });
    const messages = await messagesOf(3);
    const asked = messages.map((message, place) =>
      ask({ metered, message, value: place === 1 ? 'poison' : `text ${place}`, microBatch: fullWith(3) }),
    );
    expect((await failureOf(asked[1] ?? fail())).code).toBe('MILLRACE_MODEL_BAD_REQUEST');
    await Promise.all([asked[0], asked[2]]);
    expect(model.asked.map(({ length }) => length)).toEqual([3, 1, 1, 1]);
    const rows = await models.callRows();
    expect(rows.filter(({ attempt }) => attempt === 1)).toMatchObject(
      [1, 2, 3].map(() => ({ settlement: 'free', cost_usd: '0', outcome: 'error' })),
    );
    const alone = rows.filter(({ attempt }) => attempt === 2);
    expect(alone.map(({ shared_request: shared }) => shared)).toEqual([null, null, null]);
    expect(alone.filter(({ outcome }) => outcome === 'ok')).toHaveLength(2);
  });

  it('for a rate limit, every call is free and every handler gets the error', async () => {
    const { metered } = scripted(() => {
      throw refusal(429, 'too many');
    });
    const messages = await messagesOf(2);
    const asked = messages.map((message) => ask({ metered, message, value: message.id, microBatch: fullWith(2) }));
    const codes = await Promise.all(asked.map(async (each) => (await failureOf(each)).code));
    expect(codes).toEqual(['MILLRACE_MODEL_RATE_LIMITED', 'MILLRACE_MODEL_RATE_LIMITED']);
    expect(await models.callRows()).toMatchObject([{ settlement: 'free' }, { settlement: 'free' }]);
  });
});

describe('an answer that is not as it was asked for', () => {
  it('with fewer vectors than texts is of no use to any', async () => {
    const { metered } = scripted(() => ({ embeddings: [[1, 2]], usage: { tokens: 7 }, warnings: [] }));
    const messages = await messagesOf(2);
    const asked = messages.map((message) => ask({ metered, message, value: message.id, microBatch: fullWith(2) }));
    const codes = await Promise.all(asked.map(async (each) => (await failureOf(each)).code));
    expect(codes).toEqual(['MILLRACE_OUTPUT_INVALID', 'MILLRACE_OUTPUT_INVALID']);
    const rows = await models.callRows();
    expect(rows).toMatchObject([{ waste_reason: 'invalid_output' }, { waste_reason: 'invalid_output' }]);
    const counts = rows.map(({ tokens }) => JSON.parse(tokens ?? '{}') as { readonly uncached_input: number });
    expect(counts.reduce((sum, { uncached_input: count }) => sum + count, 0)).toBe(7);
  });

  it('with one empty vector is of no use to that one only', async () => {
    const { metered } = scripted(() => ({ embeddings: [[], [1, 2]], usage: { tokens: 7 }, warnings: [] }));
    const messages = await messagesOf(2);
    const asked = messages.map((message) => ask({ metered, message, value: message.id, microBatch: fullWith(2) }));
    const outcomes = await Promise.allSettled(asked);
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  });

  it('without usage is counted, each part for itself, under the bound of its own', async () => {
    const { metered } = scripted(({ values }) => ({
      embeddings: values.map(() => [1, 2]),
      warnings: [],
    }));
    const messages = await messagesOf(2);
    await Promise.all(
      messages.map((message, place) =>
        ask({ metered, message, value: 'word '.repeat(place + 1), microBatch: fullWith(2) }),
      ),
    );
    const rows = await models.callRows();
    expect(rows).toMatchObject([{ settlement: 'estimated' }, { settlement: 'estimated' }]);
    expect(rows.every(({ upper_bound_usd: bound }) => bound !== null)).toBe(true);
  });
});

describe('a call that is stopped while the request is under way', () => {
  it('ends alone; the answer settles it late, and its next run is given it', async () => {
    const begun = Promise.withResolvers<void>();
    const open = Promise.withResolvers<void>();
    const { model, metered } = scripted(async () => {
      begun.resolve();
      await open.promise;
      return undefined;
    });
    const [stopped, other] = await messagesOf(2);
    const stop = new AbortController();
    const microBatch = fullWith(2);
    const one = ask({ metered, message: stopped ?? fail(), value: 'one', microBatch, signal: stop.signal });
    const two = ask({ metered, message: other ?? fail(), value: 'two', microBatch });
    await begun.promise;
    stop.abort(new Error('the user has left'));
    await failureOf(one);
    expect((await models.callRows()).filter(({ state }) => state === 'unsettled')).toHaveLength(1);
    open.resolve();
    await two;
    const rows = await models.callRows();
    expect(rows).toMatchObject([
      { state: 'settled', outcome: 'ok' },
      { state: 'settled', outcome: 'ok' },
    ]);
    const lines = await models.usageLines();
    expect(formatUsd(sumOfLines(lines, 'cost_usd'))).toBe(sumOfRows(rows, 'cost_usd'));
    expect(sumOfLines(lines, 'upper_bound_usd').isZero()).toBe(true);
    const again = await models.redeliver(stopped ?? fail());
    await ask({ metered, message: again, value: 'one', microBatch });
    expect(model.asked).toEqual([['one', 'two']]);
    expect((await models.metricLines('llm_inflight')).join()).toMatch(/ 0$/);
  });

  it('the request is aborted when nobody waits for it, and its bounds stand', async () => {
    const begun = Promise.withResolvers<void>();
    let isAborted = false;
    const { metered } = scripted(
      ({ abortSignal }) =>
        new Promise((_resolve, reject) => {
          begun.resolve();
          abortSignal?.addEventListener('abort', () => {
            isAborted = true;
            reject(abortSignal.reason as Error);
          });
        }),
    );
    const messages = await messagesOf(2);
    const stop = new AbortController();
    const asked = messages.map((message) =>
      ask({ metered, message, value: message.id, microBatch: fullWith(2), signal: stop.signal }),
    );
    await begun.promise;
    stop.abort(new Error('the host stops'));
    await Promise.all(asked.map((each) => failureOf(each)));
    expect(isAborted).toBe(true);
    const rows = await models.callRows();
    expect(rows).toMatchObject([{ state: 'unsettled' }, { state: 'unsettled' }]);
    const { openUpperUsd } = await models.calls.totals();
    expect(formatUsd(openUpperUsd)).toBe(sumOfRows(rows, 'upper_bound_usd'));
  });

  it('before it is sent, the call waits for nobody and costs nothing', async () => {
    const { model, metered } = scripted();
    const [stopped, other, third] = await messagesOf(3);
    const stop = new AbortController();
    const microBatch = fullWith(2);
    const one = ask({ metered, message: stopped ?? fail(), value: 'one', microBatch, signal: stop.signal });
    const failed = failureOf(one);
    stop.abort(new Error('the user has left'));
    await failed;
    await Promise.all([
      ask({ metered, message: other ?? fail(), value: 'two', microBatch }),
      ask({ metered, message: third ?? fail(), value: 'three', microBatch }),
    ]);
    expect(model.asked).toEqual([['two', 'three']]);
    expect(await models.callRows()).toHaveLength(2);
  });
});

describe('when the process dies', () => {
  /** Where a part's process dies: its row never comes further. */
  type Death = 'none' | 'before_settlement' | 'after_settlement';

  /** A ledger of a process of which some calls die. They never hear again of what they asked for. */
  function dyingLedger(deaths: ReadonlyMap<string, Death>, died: () => void): CallLedger {
    const never = (): Promise<never> => {
      died();
      return new Promise<never>(() => undefined);
    };
    const deathOf = ({ id }: SettledCall): Death => deaths.get(id) ?? 'none';
    return {
      reserve: (...call: Parameters<CallLedger['reserve']>) => models.calls.reserve(...call),
      callsOf: (...call: Parameters<CallLedger['callsOf']>) => models.calls.callsOf(...call),
      settleLate: (...late: Parameters<CallLedger['settleLate']>) => models.calls.settleLate(...late),
      invalidOutputs: models.calls.invalidOutputs,
      async settle(call: SettledCall) {
        if (deathOf(call) === 'before_settlement') return await never();
        const isSettled = await models.calls.settle(call);
        return deathOf(call) === 'after_settlement' ? await never() : isSettled;
      },
    } as unknown as CallLedger;
  }

  it('before the request leaves, nothing is billed and every part stands with its own bound', async () => {
    const bill = await billFrom();
    const messages = await messagesOf(3);
    const reserved = Promise.withResolvers<void>();
    let count = 0;
    const ledger = {
      async reserve(call: Parameters<CallLedger['reserve']>[0]) {
        await models.calls.reserve(call);
        count += 1;
        if (count === 3) reserved.resolve();
        return await new Promise<never>(() => undefined);
      },
    } as unknown as CallLedger;
    const metered = simulated({ ledger });
    for (const [place, message] of messages.entries()) {
      const scope = metered.openScope({ origin: someOrigin, message, signal: new AbortController().signal });
      const model = scope.embeddingModel(inSimulator, { microBatch: fullWith(3) });
      void embed({ model, value: texts[place] ?? fail() });
    }
    await reserved.promise;
    await Promise.all(messages.map((message) => models.redeliver(message)));
    await new AbandonedCalls({ ledger: models.calls, clock: systemClock }).settleAbandoned();
    const rows = await models.callRows();
    expect(rows.map(({ state }) => state)).toEqual(['unsettled', 'unsettled', 'unsettled']);
    expect(new Set(rows.map(({ shared_request: shared }) => shared)).size).toBe(1);
    const lines = await models.usageLines();
    expect(new Set(lines.map((line) => line['shared_request']))).toEqual(new Set([rows[0]?.shared_request]));
    const bytes = texts.slice(0, 3).reduce((sum, text) => sum + Buffer.byteLength(text) + 32, 0);
    expect(sumOfRows(rows, 'upper_bound_usd')).toBe(formatUsd(usd('0.00000002').times(bytes)));
    expect((await bill()).requests).toBe(0);
  });

  it('the next run pays for what was not settled, and the ledger holds the bill between its two totals', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom<Death>('none', 'before_settlement', 'after_settlement'), {
          minLength: 2,
          maxLength: 5,
        }),
        async (fates) => {
          await models.clear();
          const bill = await billFrom();
          const messages = await messagesOf(fates.length);
          const dead = fates.filter((death) => death !== 'none').length;
          const deaths = new Map<string, Death>();
          const { promise: allDied, resolve: done } = Promise.withResolvers<void>();
          let died = 0;
          const ledger = dyingLedger(deaths, () => {
            died += 1;
            if (died === dead) done();
          });
          if (dead === 0) done();
          const first = simulated({
            ledger: {
              ...ledger,
              async reserve(call: Parameters<CallLedger['reserve']>[0]) {
                const place = messages.findIndex(({ id }) => id === call.message?.id);
                deaths.set(call.id, fates[place] ?? 'none');
                return await models.calls.reserve(call);
              },
            } as unknown as CallLedger,
          });
          const microBatch = fullWith(fates.length);
          const shared = { model: inSimulator, microBatch };
          const openScope = (metered: MeteredModels, message: OwningMessage, value: string) =>
            embed({
              model: metered
                .openScope({ origin: someOrigin, message, signal: new AbortController().signal })
                .embeddingModel(shared.model, { step: 'vector', microBatch: shared.microBatch }),
              value,
              maxRetries: 0,
            });
          const runs = messages.map((message, place) => openScope(first, message, texts[place] ?? fail()));
          await Promise.all([allDied, ...runs.filter((_run, place) => fates[place] === 'none')]);
          const once = await bill();
          expect(once.requests).toBe(1);

          // Somebody else takes the messages up; what nobody settled is given up.
          const again = await Promise.all(messages.map((message) => models.redeliver(message)));
          await new AbandonedCalls({ ledger: models.calls, clock: systemClock }).settleAbandoned();
          const unsettled = fates.filter((death) => death === 'before_settlement').length;
          const rows = await models.callRows();
          expect(rows.filter(({ state }) => state === 'unsettled')).toHaveLength(unsettled);
          const paidOnce = await models.calls.totals();
          expect(usd(once.totalUsd).greaterThanOrEqualTo(paidOnce.settledUsd)).toBe(true);
          expect(usd(once.totalUsd).lessThanOrEqualTo(paidOnce.settledUsd.plus(paidOnce.openUpperUsd))).toBe(true);
          if (unsettled === 0) expect(formatUsd(paidOnce.settledUsd)).toBe(once.totalUsd);

          const second = simulated();
          const microBatchAgain = unsettled === 1 ? { windowMs: 1 } : fullWith(Math.max(2, unsettled));
          const repeated = again.map((message, place) =>
            ask({
              metered: second,
              message,
              value: texts[place] ?? fail(),
              model: inSimulator,
              microBatch: microBatchAgain,
            }),
          );
          await Promise.all(repeated);
          const whole = await bill();
          expect(whole.requests).toBe(unsettled === 0 ? 1 : 2);
          const totals = await models.calls.totals();
          expect(totals.reserved).toBe(0);
          expect(usd(whole.totalUsd).lessThanOrEqualTo(totals.settledUsd.plus(totals.openUpperUsd))).toBe(true);
          expect(usd(whole.totalUsd).greaterThanOrEqualTo(totals.settledUsd)).toBe(true);
          const lines = await models.usageLines();
          expect(formatUsd(sumOfLines(lines, 'cost_usd'))).toBe(formatUsd(totals.settledUsd));
          expect(formatUsd(sumOfLines(lines, 'upper_bound_usd'))).toBe(formatUsd(totals.openUpperUsd));
        },
      ),
      { numRuns: 8 },
    );
  });
});

function placeOf(messages: readonly OwningMessage[], row: CallRow): number {
  return messages.findIndex(({ id }) => id === row.message_id);
}

function fail(): never {
  throw new Error('there is one for each');
}
