import { embed } from 'ai';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { OwningMessage } from '../../src/engine/calls/call-maker.ts';
import type { MeteredModels } from '../../src/engine/calls/metered-models.ts';
import type { MicroBatchOptions } from '../../src/engine/calls/micro-batch-settings.ts';
import type { CallLedger, Reservation, SettledCall } from '../../src/engine/ledger/call-ledger.ts';
import { AbandonedCalls } from '../../src/engine/maintenance/abandoned-calls.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { formatUsd, usd } from '../../src/kernel/money.ts';
import { refusal } from '../../src/testing/scripted-model.ts';
import { failureOf, someOrigin, sumOfLines } from '../support/models-harness.ts';
import {
  fail,
  fullWith,
  inSimulator,
  openSharedRequests,
  type SharedRequestsFixture,
  sumOfRows,
  texts,
} from '../support/shared-requests-fixture.ts';

/* Requests for embeddings that several messages share, when they fail, are stopped, or lose their process. */

let shared: SharedRequestsFixture;

beforeAll(async () => {
  shared = await openSharedRequests();
});
afterEach(() => shared.reset());
afterAll(() => shared.close());

describe('when it is refused', () => {
  it('for what one text holds, each asks alone, and only that one fails', async () => {
    const { model, metered } = shared.scripted(({ values }) => {
      if (values.some((value) => value.includes('poison'))) throw refusal(400, 'invalid input');
      return undefined;
    });
    const messages = await shared.messagesOf(3);
    const asked = messages.map((message, place) =>
      shared.ask({
        metered,
        message,
        value: place === 1 ? 'poison' : `text ${place}`,
        microBatch: fullWith(3),
      }),
    );
    expect((await failureOf(asked[1] ?? fail())).code).toBe('MILLRACE_MODEL_BAD_REQUEST');
    await Promise.all([asked[0], asked[2]]);
    expect(model.asked.map(({ length }) => length)).toEqual([3, 1, 1, 1]);
    const rows = await shared.models.callRows();
    expect(rows.filter(({ attempt }) => attempt === 1)).toMatchObject(
      [1, 2, 3].map(() => ({ settlement: 'free', cost_usd: '0', outcome: 'error' })),
    );
    const alone = rows.filter(({ attempt }) => attempt === 2);
    expect(alone.map(({ shared_request: request }) => request)).toEqual([null, null, null]);
    expect(alone.filter(({ outcome }) => outcome === 'ok')).toHaveLength(2);
  });

  it('for a rate limit, every call is free and every handler gets the error', async () => {
    const { metered } = shared.scripted(() => {
      throw refusal(429, 'too many');
    });
    const messages = await shared.messagesOf(2);
    const asked = messages.map((message) =>
      shared.ask({ metered, message, value: message.id, microBatch: fullWith(2) }),
    );
    const codes = await Promise.all(asked.map(async (each) => (await failureOf(each)).code));
    expect(codes).toEqual(['MILLRACE_MODEL_RATE_LIMITED', 'MILLRACE_MODEL_RATE_LIMITED']);
    expect(await shared.models.callRows()).toMatchObject([{ settlement: 'free' }, { settlement: 'free' }]);
  });
});

describe('an answer that is not as it was asked for', () => {
  it('with fewer vectors than texts is of no use to any', async () => {
    const { metered } = shared.scripted(() => ({ embeddings: [[1, 2]], usage: { tokens: 7 }, warnings: [] }));
    const messages = await shared.messagesOf(2);
    const asked = messages.map((message) =>
      shared.ask({ metered, message, value: message.id, microBatch: fullWith(2) }),
    );
    const codes = await Promise.all(asked.map(async (each) => (await failureOf(each)).code));
    expect(codes).toEqual(['MILLRACE_OUTPUT_INVALID', 'MILLRACE_OUTPUT_INVALID']);
    const rows = await shared.models.callRows();
    expect(rows).toMatchObject([{ waste_reason: 'invalid_output' }, { waste_reason: 'invalid_output' }]);
    const counts = rows.map(
      ({ tokens }) => JSON.parse(tokens ?? '{}') as { readonly uncached_input: number },
    );
    expect(counts.reduce((sum, { uncached_input: count }) => sum + count, 0)).toBe(7);
  });

  it('with one empty vector is of no use to that one only', async () => {
    const { metered } = shared.scripted(() => ({
      embeddings: [[], [1, 2]],
      usage: { tokens: 7 },
      warnings: [],
    }));
    const messages = await shared.messagesOf(2);
    const asked = messages.map((message) =>
      shared.ask({ metered, message, value: message.id, microBatch: fullWith(2) }),
    );
    const outcomes = await Promise.allSettled(asked);
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  });

  it('without usage is counted, each part for itself, under the bound of its own', async () => {
    const { metered } = shared.scripted(({ values }) => ({
      embeddings: values.map(() => [1, 2]),
      warnings: [],
    }));
    const messages = await shared.messagesOf(2);
    await Promise.all(
      messages.map((message, place) =>
        shared.ask({ metered, message, value: 'word '.repeat(place + 1), microBatch: fullWith(2) }),
      ),
    );
    const rows = await shared.models.callRows();
    expect(rows).toMatchObject([{ settlement: 'estimated' }, { settlement: 'estimated' }]);
    expect(rows.every(({ upper_bound_usd: bound }) => bound !== null)).toBe(true);
  });
});

describe('a call that is stopped while the request is under way', () => {
  it('ends alone; the answer settles it late, and its next run is given it', async () => {
    const begun = Promise.withResolvers<void>();
    const open = Promise.withResolvers<void>();
    const { model, metered } = shared.scripted(async () => {
      begun.resolve();
      await open.promise;
      return undefined;
    });
    const [stopped, other] = await shared.messagesOf(2);
    const stop = new AbortController();
    const microBatch = fullWith(2);
    const one = shared.ask({
      metered,
      message: stopped ?? fail(),
      value: 'one',
      microBatch,
      signal: stop.signal,
    });
    const two = shared.ask({ metered, message: other ?? fail(), value: 'two', microBatch });
    await begun.promise;
    stop.abort(new Error('the user has left'));
    await failureOf(one);
    expect((await shared.models.callRows()).filter(({ state }) => state === 'unsettled')).toHaveLength(1);
    open.resolve();
    await two;
    const rows = await shared.models.callRows();
    expect(rows).toMatchObject([
      { state: 'settled', outcome: 'ok' },
      { state: 'settled', outcome: 'ok' },
    ]);
    const lines = await shared.models.usageLines();
    expect(formatUsd(sumOfLines(lines, 'cost_usd'))).toBe(sumOfRows(rows, 'cost_usd'));
    expect(sumOfLines(lines, 'upper_bound_usd').isZero()).toBe(true);
    const again = await shared.models.redeliver(stopped ?? fail());
    await shared.ask({ metered, message: again, value: 'one', microBatch });
    expect(model.asked).toEqual([['one', 'two']]);
    expect((await shared.models.metricLines('llm_inflight')).join()).toMatch(/ 0$/);
  });

  it('the request is aborted when nobody waits for it, and its bounds stand', async () => {
    const begun = Promise.withResolvers<void>();
    let isAborted = false;
    const { metered } = shared.scripted(
      ({ abortSignal }) =>
        new Promise((_resolve, reject) => {
          begun.resolve();
          abortSignal?.addEventListener('abort', () => {
            isAborted = true;
            reject(abortSignal.reason as Error);
          });
        }),
    );
    const messages = await shared.messagesOf(2);
    const stop = new AbortController();
    const asked = messages.map((message) =>
      shared.ask({ metered, message, value: message.id, microBatch: fullWith(2), signal: stop.signal }),
    );
    await begun.promise;
    stop.abort(new Error('the host stops'));
    await Promise.all(asked.map((each) => failureOf(each)));
    expect(isAborted).toBe(true);
    const rows = await shared.models.callRows();
    expect(rows).toMatchObject([{ state: 'unsettled' }, { state: 'unsettled' }]);
    const { openUpperUsd } = await shared.models.calls.totals();
    expect(formatUsd(openUpperUsd)).toBe(sumOfRows(rows, 'upper_bound_usd'));
  });

  it('before it is sent, the call waits for nobody and costs nothing', async () => {
    const { model, metered } = shared.scripted();
    const [stopped, other, third] = await shared.messagesOf(3);
    const stop = new AbortController();
    const microBatch = fullWith(2);
    const one = shared.ask({
      metered,
      message: stopped ?? fail(),
      value: 'one',
      microBatch,
      signal: stop.signal,
    });
    const failed = failureOf(one);
    stop.abort(new Error('the user has left'));
    await failed;
    await Promise.all([
      shared.ask({ metered, message: other ?? fail(), value: 'two', microBatch }),
      shared.ask({ metered, message: third ?? fail(), value: 'three', microBatch }),
    ]);
    expect(model.asked).toEqual([['two', 'three']]);
    expect(await shared.models.callRows()).toHaveLength(2);
  });
});

describe('when the process dies', () => {
  /** Where a part's process dies: its row never comes further. */
  type Death = 'none' | 'before_settlement' | 'after_settlement';

  /** A ledger of a process of which some messages' calls die. They never hear again of what they asked for. */
  function dyingLedger(deathOfMessage: (id: string | undefined) => Death, died: () => void): CallLedger {
    const deaths = new Map<string, Death>();
    const never = (): Promise<never> => {
      died();
      return new Promise<never>(() => undefined);
    };
    const deathOf = ({ id }: SettledCall): Death => deaths.get(id) ?? 'none';
    return {
      async reserve(call: Reservation) {
        deaths.set(call.id, deathOfMessage(call.message?.id));
        return await shared.models.calls.reserve(call);
      },
      callsOf: (...call: Parameters<CallLedger['callsOf']>) => shared.models.calls.callsOf(...call),
      settleLate: (...late: Parameters<CallLedger['settleLate']>) => shared.models.calls.settleLate(...late),
      invalidOutputs: shared.models.calls.invalidOutputs,
      async settle(call: SettledCall) {
        if (deathOf(call) === 'before_settlement') return await never();
        const isSettled = await shared.models.calls.settle(call);
        return deathOf(call) === 'after_settlement' ? await never() : isSettled;
      },
    } as unknown as CallLedger;
  }

  /** A run whose scope nobody closes. */
  function dyingRun(
    metered: MeteredModels,
    message: OwningMessage,
    { value, microBatch }: { readonly value: string; readonly microBatch: MicroBatchOptions },
  ): Promise<unknown> {
    const scope = metered.openScope({ origin: someOrigin, message, signal: new AbortController().signal });
    const model = scope.embeddingModel(inSimulator, { step: 'vector', microBatch });
    return embed({ model, value, maxRetries: 0 });
  }

  it('before the request leaves, nothing is billed and every part stands with its own bound', async () => {
    const bill = await shared.billFrom();
    const messages = await shared.messagesOf(3);
    const reserved = Promise.withResolvers<void>();
    let count = 0;
    const ledger = {
      async reserve(call: Reservation) {
        await shared.models.calls.reserve(call);
        count += 1;
        if (count === 3) reserved.resolve();
        return await new Promise<never>(() => undefined);
      },
    } as unknown as CallLedger;
    const metered = shared.simulated({ ledger });
    for (const [place, message] of messages.entries()) {
      void dyingRun(metered, message, { value: texts[place] ?? fail(), microBatch: fullWith(3) });
    }
    await reserved.promise;
    await Promise.all(messages.map((message) => shared.models.redeliver(message)));
    await new AbandonedCalls({ ledger: shared.models.calls, clock: systemClock }).settleAbandoned();
    const rows = await shared.models.callRows();
    expect(rows.map(({ state }) => state)).toEqual(['unsettled', 'unsettled', 'unsettled']);
    expect(new Set(rows.map(({ shared_request: request }) => request)).size).toBe(1);
    const lines = await shared.models.usageLines();
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
          await shared.models.clear();
          const bill = await shared.billFrom();
          const messages = await shared.messagesOf(fates.length);
          const dead = fates.filter((death) => death !== 'none').length;
          const { promise: allDied, resolve: done } = Promise.withResolvers<void>();
          let died = 0;
          const ledger = dyingLedger(
            (id) => fates[messages.findIndex((message) => message.id === id)] ?? fail(),
            () => {
              died += 1;
              if (died === dead) done();
            },
          );
          if (dead === 0) done();
          const first = shared.simulated({ ledger });
          const microBatch = fullWith(fates.length);
          const runs = messages.map((message, place) =>
            dyingRun(first, message, { value: texts[place] ?? fail(), microBatch }),
          );
          await Promise.all([allDied, ...runs.filter((_run, place) => fates[place] === 'none')]);
          const once = await bill();
          expect(once.requests).toBe(1);

          // Somebody else takes the messages up; what nobody settled is given up.
          const again = await Promise.all(messages.map((message) => shared.models.redeliver(message)));
          await new AbandonedCalls({ ledger: shared.models.calls, clock: systemClock }).settleAbandoned();
          const unsettled = fates.filter((death) => death === 'before_settlement').length;
          const rows = await shared.models.callRows();
          expect(rows.filter(({ state }) => state === 'unsettled')).toHaveLength(unsettled);
          const paidOnce = await shared.models.calls.totals();
          expect(usd(once.totalUsd).greaterThanOrEqualTo(paidOnce.settledUsd)).toBe(true);
          expect(usd(once.totalUsd).lessThanOrEqualTo(paidOnce.settledUsd.plus(paidOnce.openUpperUsd))).toBe(
            true,
          );
          if (unsettled === 0) expect(formatUsd(paidOnce.settledUsd)).toBe(once.totalUsd);

          const second = shared.simulated();
          const microBatchAgain = unsettled === 1 ? { windowMs: 1 } : fullWith(Math.max(2, unsettled));
          const repeated = again.map((message, place) =>
            shared.ask({
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
          const totals = await shared.models.calls.totals();
          expect(totals.reserved).toBe(0);
          expect(usd(whole.totalUsd).lessThanOrEqualTo(totals.settledUsd.plus(totals.openUpperUsd))).toBe(
            true,
          );
          expect(usd(whole.totalUsd).greaterThanOrEqualTo(totals.settledUsd)).toBe(true);
          const lines = await shared.models.usageLines();
          expect(formatUsd(sumOfLines(lines, 'cost_usd'))).toBe(formatUsd(totals.settledUsd));
          expect(formatUsd(sumOfLines(lines, 'upper_bound_usd'))).toBe(formatUsd(totals.openUpperUsd));
        },
      ),
      { numRuns: 8 },
    );
  });
});
