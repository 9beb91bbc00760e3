import { embed, embedMany, generateText, isStepCount, Output, streamText, tool } from 'ai';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { FilesPayloadStore } from '../../src/drivers/payload-store/payload-store.files.ts';
import { AppError } from '../../src/kernel/app-error.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { formatUsd, sumUsd, usd } from '../../src/kernel/money.ts';
import type { CallLedger, SettledCall, Reservation } from '../../src/engine/ledger/call-ledger.ts';
import { AbandonedCalls } from '../../src/engine/maintenance/abandoned-calls.ts';
import type { CallGroup } from '../../src/engine/calls/call-group.ts';
import type { MeteredModels } from '../../src/engine/calls/metered-models.ts';
import {
  refusal,
  type Script,
  type ScriptedAnswer,
  ScriptedEmbeddingModel,
  ScriptedModel,
} from '../../src/testing/scripted-model.ts';
import {
  type CallRow,
  failureOf,
  type ModelsHarness,
  openMeteredModels,
  sumOfLines,
} from '../support/models-harness.ts';

let models: ModelsHarness;
const scopes: CallGroup[] = [];

beforeAll(async () => {
  models = await openMeteredModels();
});
beforeEach(() => models.clear());
afterEach(async () => {
  await Promise.all(scopes.splice(0).map((scope) => scope.close()));
});
afterAll(() => models.close());

const priced = 'scripted/gpt-5-mini';

async function openScope(metered: MeteredModels, signal?: AbortSignal): Promise<CallGroup> {
  const scope = models.openScope(metered, await models.leasedMessage(), signal);
  scopes.push(scope);
  return scope;
}

describe('an answer of an earlier run', () => {
  it('is given again without a request, as it was', async () => {
    const { model, metered } = models.scripted([
      {
        content: [
          { type: 'reasoning', text: 'Hm.', providerMetadata: { x: { signature: 's' } } },
          { type: 'text', text: 'NUL \u0000 and a lone \ud800 surrogate' },
          { type: 'file', mediaType: 'image/png', data: { type: 'data', data: new Uint8Array([0, 1, 255]) } },
        ],
      },
    ]);
    const message = await models.leasedMessage();
    const ask = (scope: CallGroup) => scope.languageModel(priced, { step: 's' }).doGenerate({ prompt: [] });
    const first = await ask(models.openScope(metered, message));
    const scope = models.openScope(metered, await models.redeliver(message));
    const again = await ask(scope);
    expect(model.requests).toHaveLength(1);
    expect(again).toEqual(first);
    expect(again.response?.timestamp).toBeInstanceOf(Date);
    expect(scope.spend()).toMatchObject({ calls: 0, reused: 1 });
    expect(await models.callRows()).toHaveLength(1);
    expect((await models.metricLines('calls_reused_total')).join()).toMatch(/stage="first".* 1$/);
  });

  it('is given as a stream when it came whole, and whole when it came as a stream', async () => {
    const { model, metered } = models.scripted([
      'A whole answer.',
      { text: 'A streamed answer.', reasoning: 'Because.' },
    ]);
    const message = await models.leasedMessage();
    const one = models.openScope(metered, message);
    await generateText({ model: one.languageModel(priced, { step: 'whole' }), prompt: '1' });
    const streamed = streamText({ model: one.languageModel(priced, { step: 'streamed' }), prompt: '2' });
    expect(await streamed.text).toBe('A streamed answer.');
    const two = models.openScope(metered, await models.redeliver(message));
    const asStream = streamText({ model: two.languageModel(priced, { step: 'whole' }), prompt: '1' });
    expect(await asStream.text).toBe('A whole answer.');
    const whole = await generateText({ model: two.languageModel(priced, { step: 'streamed' }), prompt: '2' });
    expect(whole.text).toBe('A streamed answer.');
    expect(whole.finalStep.reasoningText).toBe('Because.');
    expect(model.requests).toHaveLength(2);
    expect(two.spend()).toMatchObject({ calls: 0, reused: 2 });
  });

  it('to another question is not given: the step is called anew, and that is counted', async () => {
    const { model, metered } = models.scripted(['first', 'second']);
    const message = await models.leasedMessage();
    const one = models.openScope(metered, message);
    await generateText({ model: one.languageModel(priced, { step: 's' }), prompt: '1' });
    const two = models.openScope(metered, await models.redeliver(message));
    const { text } = await generateText({
      model: two.languageModel(priced, { step: 's' }),
      prompt: 'another',
    });
    expect(text).toBe('second');
    expect(model.requests).toHaveLength(2);
    expect(await models.callRows()).toMatchObject([{ attempt: 1 }, { attempt: 2 }]);
    expect((await models.metricLines('step_diverged_total')).join()).toMatch(/stage="first".* 1$/);
    expect(models.logged.filter(({ message: said }) => said.includes('something else'))).toHaveLength(1);
  });

  it('is given to any question of its place when the step asks for that', async () => {
    const { model, metered } = models.scripted(['first']);
    const message = await models.leasedMessage();
    const one = models.openScope(metered, message);
    await generateText({ model: one.languageModel(priced, { step: 's' }), prompt: 'at 10:00' });
    const two = models.openScope(metered, await models.redeliver(message));
    const { text } = await generateText({
      model: two.languageModel(priced, { step: 's', reuse: 'always' }),
      prompt: 'at 10:05',
    });
    expect(text).toBe('first');
    expect(model.requests).toHaveLength(1);
  });

  it('lies in the payload store when it is large', async () => {
    const large = 'x'.repeat(5000);
    const model = new ScriptedModel([large], 'gpt-5-mini');
    const metered = models.metered(
      { scripted: { kind: 'custom', model: () => model } },
      { maxInlineAnswerBytes: 1000 },
    );
    const message = await models.leasedMessage();
    await generateText({ model: models.openScope(metered, message).languageModel(priced), prompt: '1' });
    const [row] = await models.callRows();
    expect(row?.answer).toBeNull();
    expect(row?.answer_ref).toMatch(/^sha256\//);
    const two = models.openScope(metered, await models.redeliver(message));
    expect((await generateText({ model: two.languageModel(priced), prompt: '1' })).text).toBe(large);
    expect(model.requests).toHaveLength(1);
  });

  it('stays in the ledger when the payload store does not take it', async () => {
    const model = new ScriptedModel(['x'.repeat(5000)], 'gpt-5-mini');
    const metered = models.metered(
      { scripted: { kind: 'custom', model: () => model } },
      // A store whose directories were never made.
      { maxInlineAnswerBytes: 1000, payloads: new FilesPayloadStore({ directory: '/dev/null/none' }) },
    );
    const message = await models.leasedMessage();
    await generateText({ model: models.openScope(metered, message).languageModel(priced), prompt: '1' });
    const two = models.openScope(metered, await models.redeliver(message));
    expect((await generateText({ model: two.languageModel(priced), prompt: '1' })).text).toHaveLength(5000);
    expect(model.requests).toHaveLength(1);
    expect(models.logged).toMatchObject([{ level: 'warn', fields: { isKept: true } }]);
  });

  it('after a failed attempt is a new attempt of the same place', async () => {
    const { metered } = models.scripted([{ error: refusal(500, 'broken') }, 'fine']);
    const message = await models.leasedMessage();
    await failureOf(
      generateText({ model: models.openScope(metered, message).languageModel(priced), prompt: '1' }),
    );
    const two = models.openScope(metered, await models.redeliver(message));
    await generateText({ model: two.languageModel(priced), prompt: '1' });
    expect(await models.callRows()).toMatchObject([
      {
        attempt: 1,
        state: 'settled',
        outcome: 'error',
        settlement: 'free',
        cost_usd: '0',
        error_type: 'server_error',
      },
      { attempt: 2, state: 'settled', outcome: 'ok' },
    ]);
  });
});

describe('several requests of one step', () => {
  const weather = {
    weather: tool({
      inputSchema: z.object({ city: z.string() }),
      execute: ({ city }) => Promise.resolve(`sunny in ${city}`),
    }),
  };
  const script: Script = [
    { toolCalls: [{ toolName: 'weather', input: { city: 'Rome' } }] },
    { toolCalls: [{ toolName: 'weather', input: { city: 'Oslo' } }] },
    'Sunny in both.',
  ];

  it('are calls of their own: a tool loop', async () => {
    const { model, metered } = models.scripted(script);
    const message = await models.leasedMessage();
    const run = (scope: CallGroup) =>
      generateText({
        model: scope.languageModel(priced, { step: 'loop' }),
        prompt: 'Weather?',
        tools: weather,
        stopWhen: isStepCount(5),
      });
    expect((await run(models.openScope(metered, message))).text).toBe('Sunny in both.');
    expect(await models.callRows()).toMatchObject([{ ordinal: 1 }, { ordinal: 2 }, { ordinal: 3 }]);
    const two = models.openScope(metered, await models.redeliver(message));
    expect((await run(two)).text).toBe('Sunny in both.');
    expect(model.requests).toHaveLength(3);
    expect(two.spend()).toMatchObject({ calls: 0, reused: 3 });
  });

  it('that ask the same get their own answers back, in order', async () => {
    const { metered } = models.scripted(['a', 'b', 'c']);
    const message = await models.leasedMessage();
    const draw = async (scope: CallGroup) => {
      const model = scope.languageModel(priced, { step: 'draft' });
      const drafts = await Promise.all([1, 2, 3].map(() => generateText({ model, prompt: 'Draft' })));
      return drafts.map(({ text }) => text);
    };
    const first = await draw(models.openScope(metered, message));
    expect(first.toSorted()).toEqual(['a', 'b', 'c']);
    expect(await draw(models.openScope(metered, await models.redeliver(message)))).toEqual(first);
  });

  it('may answer as objects', async () => {
    const { model, metered } = models.scripted(['{"kind":"wish"}']);
    const scope = await openScope(metered);
    const schema = z.object({ kind: z.string() });
    const { output } = await generateText({
      model: scope.languageModel(priced),
      output: Output.object({ schema }),
      prompt: '2',
    });
    expect(output).toEqual({ kind: 'wish' });
    expect(model.requests).toHaveLength(1);
    expect(model.requests[0]?.responseFormat).toMatchObject({ type: 'json' });
  });
});

describe('embeddings', () => {
  it('are one call a request, and the same vectors when they are given again', async () => {
    const model = new ScriptedEmbeddingModel({ modelId: 'text-embedding-3-small', maxEmbeddingsPerCall: 2 });
    const metered = models.metered({ scripted: { kind: 'custom', model: () => model } });
    const message = await models.leasedMessage();
    const run = (scope: CallGroup) =>
      embedMany({
        model: scope.embeddingModel('scripted/text-embedding-3-small', { step: 'vectors' }),
        values: ['one', 'two', 'three', 'four', 'five'],
      });
    const first = await run(models.openScope(metered, message));
    expect(await models.callRows()).toMatchObject(
      [1, 2, 3].map((ordinal) => ({
        ordinal,
        operation: 'embeddings',
        settlement: 'reported',
        outcome: 'ok',
      })),
    );
    const again = await run(models.openScope(metered, await models.redeliver(message)));
    expect(again.embeddings).toEqual(first.embeddings);
    expect(model.requests).toHaveLength(3);
    const scope = await openScope(metered);
    const single = await embed({
      model: scope.embeddingModel('scripted/text-embedding-3-small'),
      value: 'one',
    });
    expect(single.embedding).toEqual(first.embeddings[0]);
  });
});

describe('a call that was given up', () => {
  it('is closed by a correction when its answer comes after all', async () => {
    const message = await models.leasedMessage();
    const abandoned = new AbandonedCalls({ ledger: models.calls, clock: systemClock });
    const { metered } = models.scripted(async () => {
      await models.redeliver(message);
      expect(await abandoned.settleAbandoned()).toBe(1);
      return { text: 'late', usage: { uncachedInput: 100, textOutput: 10 } };
    });
    const scope = models.openScope(metered, message);
    const { text } = await generateText({ model: scope.languageModel(priced), prompt: '1' });
    expect(text).toBe('late');
    const [row] = await models.callRows();
    expect(row).toMatchObject({ state: 'settled', outcome: 'ok', settlement: 'reported' });
    const lines = await models.usageLines();
    expect(lines).toMatchObject([
      { record_kind: 'call', outcome: 'unsettled', calls: 1, unsettled_calls: 1, cost_usd: '0' },
      { record_kind: 'correction', waste_reason: 'aborted', calls: -1, unsettled_calls: -1 },
      { record_kind: 'correction', outcome: 'ok', calls: 1, unsettled_calls: 0, cost_usd: row?.cost_usd },
    ]);
    expect(sumOfLines(lines, 'cost_usd').equals(row?.cost_usd ?? '')).toBe(true);
    expect(sumOfLines(lines, 'upper_bound_usd').isZero()).toBe(true);
  });
});

describe('a ledger that cannot be reached for a moment', () => {
  it.each(['before', 'after'])(
    '%s it wrote the settlement is asked again, and settles once',
    async (when) => {
      let isAway = true;
      const fail = (): never => {
        isAway = false;
        throw new AppError('MILLRACE_DATABASE_UNAVAILABLE', 'the connection broke');
      };
      const ledger = {
        reserve: (call: Reservation) => models.calls.reserve(call),
        async settle(call: SettledCall) {
          if (isAway && when === 'before') fail();
          const isSettled = await models.calls.settle(call);
          return isAway ? fail() : isSettled;
        },
        settleLate: (...late: Parameters<CallLedger['settleLate']>) => models.calls.settleLate(...late),
      } as unknown as CallLedger;
      const model = new ScriptedModel(['fine'], 'gpt-5-mini');
      const metered = models.metered({ scripted: { kind: 'custom', model: () => model } }, { ledger });
      const scope = await openScope(metered);
      expect((await generateText({ model: scope.languageModel(priced), prompt: '1' })).text).toBe('fine');
      expect(await models.callRows()).toMatchObject([{ state: 'settled', outcome: 'ok' }]);
      expect(await models.usageLines()).toMatchObject([{ record_kind: 'call', calls: 1 }]);
    },
  );
});

describe('whatever becomes of calls, and in whatever order', () => {
  interface Fate {
    /** What the model does. */
    readonly answer: keyof typeof answers;
    /** Whether the sweep gives the call up before the answer comes. */
    readonly isGivenUp: boolean;
    readonly isStreamed: boolean;
  }

  const abandoned = (): AbandonedCalls => new AbandonedCalls({ ledger: models.calls, clock: systemClock });

  const answers = {
    ok: { text: 'Fine.', usage: { uncachedInput: 1234, cacheRead: 77, textOutput: 19, reasoning: 3 } },
    unreported: { text: 'Fine.', usage: 'missing' },
    unpriced: { text: 'Fine.', modelId: 'own-model' },
    refused: { error: refusal(429, 'too many') },
    broken: {
      error: new TypeError('terminated', {
        cause: Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' }),
      }),
    },
    cut: { text: 'A text that is cut.', cutAfterParts: 4 },
  } satisfies Record<string, ScriptedAnswer>;

  const fate: fc.Arbitrary<Fate> = fc.record({
    answer: fc.constantFrom('ok', 'unreported', 'unpriced', 'refused', 'broken', 'cut'),
    isGivenUp: fc.boolean(),
    isStreamed: fc.boolean(),
  });
  /** One call with this fate. Answers how many requests were made. */
  async function meet({ answer, isGivenUp, isStreamed }: Fate): Promise<number> {
    const message = await models.leasedMessage();
    const script = async (): Promise<ScriptedAnswer> => {
      if (isGivenUp) {
        await models.redeliver(message);
        expect(await abandoned().settleAbandoned()).toBe(1);
      }
      return answers[answer];
    };
    const model = new ScriptedModel(script, answer === 'unpriced' ? 'own-model' : 'gpt-5-mini');
    const metered = models.metered({ scripted: { kind: 'custom', model: () => model } });
    const scope = models.openScope(metered, message);
    const used = scope.languageModel('scripted/any');
    await Promise.allSettled([
      isStreamed
        ? streamText({ model: used, prompt: 'Go' }).text
        : generateText({ model: used, prompt: 'Go' }),
    ]);
    await scope.close();
    return model.requests.length;
  }

  it('each request has one row, and the usage records add up to the rows', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fate, { minLength: 1, maxLength: 6 }), async (fates) => {
        await models.clear();
        let requests = 0;
        for (const each of fates) requests += await meet(each);
        const rows = await models.callRows();
        const lines = await models.usageLines();
        const number = (column: string) => lines.reduce((sum, line) => sum + Number(line[column] ?? 0), 0);
        const count = (holds: (row: CallRow) => boolean) => rows.filter(holds).length;
        const sum = (column: 'cost_usd' | 'upper_bound_usd') =>
          sumUsd(rows.map((row) => usd(row[column] ?? '0')));
        expect(rows).toHaveLength(requests);
        expect(number('calls')).toBe(requests);
        expect(count(({ state }) => state === 'reserved')).toBe(0);
        expect(number('unsettled_calls')).toBe(count(({ state }) => state === 'unsettled'));
        expect(number('estimated_calls')).toBe(count(({ settlement }) => settlement === 'estimated'));
        expect(formatUsd(sumOfLines(lines, 'cost_usd'))).toBe(formatUsd(sum('cost_usd')));
        expect(formatUsd(sumOfLines(lines, 'upper_bound_usd'))).toBe(formatUsd(sum('upper_bound_usd')));
        const totals = await models.calls.totals();
        expect(formatUsd(totals.settledUsd)).toBe(formatUsd(sum('cost_usd')));
        expect(number('unpriced_calls')).toBe(
          count((row) => (row.state === 'settled' ? row.cost_usd === null : row.upper_bound_usd === null)),
        );
      }),
      { numRuns: 25 },
    );
  });
});
