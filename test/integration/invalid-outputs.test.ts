import { Inject } from '@nestjs/common';
import { generateText, Output, streamText } from 'ai';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { formatUsd, sumUsd, usd } from '../../src/kernel/money.ts';
import { Host } from '../../src/host/host.ts';
import { type MessageOf, Stage, type StageContext, defineMessage, defineStage } from '../../src/millrace.ts';
import { type Script, ScriptedModel, TestKit, refusal } from '../../src/testing.ts';
import { outboxLines } from '../support/ledger-fixture.ts';

/* What becomes of answers that came whole, were paid for, and are of no use. */

const Asked = defineMessage('asked').version(1, z.object({ question: z.string() }));
const Answered = defineMessage('answered').version(1, z.object({ answer: z.string().min(3) }));

const answer = defineStage('answer', {
  consumes: Asked.upTo(1),
  emits: [Answered.v1],
  retry: { maxAttempts: 2, backoff: ['1s'], jitter: 0 },
  invalidOutput: { maxAttempts: 3, backoff: ['10s'] },
});

type Work = (question: string, ctx: StageContext) => Promise<string>;

const origin = { team: 'blue', customer: 'acme', feature: 'search' };
// 1000 × 0.25 + 100 × 2 dollars a million
const usage = { uncachedInput: 1000, textOutput: 100 };
const price = '0.00045';

let kit: TestKit;
let host: Host;
afterEach(() => kit.close());

async function create(script: Script, work: Work): Promise<ScriptedModel> {
  @Stage(answer)
  class AnswerStage {
    constructor(@Inject(Host) injected: Host) {
      host = injected;
    }

    async handle({ data }: MessageOf<typeof answer>, ctx: StageContext) {
      ctx.emit(Answered.v1, { answer: await work(data.question, ctx) });
    }
  }
  const model = new ScriptedModel(script);
  kit = await TestKit.create({ providers: [AnswerStage], models: { 'openai/gpt-5-mini': model } });
  return model;
}

const run = () => kit.run(Asked.v1, { question: 'why' }, { origin, id: 'one' });

const plainly: Work = async (prompt, ctx) => {
  const { text } = await generateText({ model: ctx.model('openai/gpt-5-mini', { step: 'a' }), prompt });
  return text;
};

interface Line {
  readonly record_kind: string;
  readonly calls: number;
  readonly cost_usd?: string;
  readonly is_waste?: number;
  readonly waste_reason?: string;
  readonly tokens_uncached_input?: number;
}

/** The usage records so far, and the calls that they are about. */
async function records() {
  const { database } = host.stores;
  const lines = (await outboxLines(database, 'usage')).map((line) => JSON.parse(line) as Line);
  const { rows: calls } = await database.query<{
    waste_reason: string | null;
    attempt: number;
    is_invalidated: boolean;
  }>({
    name: 'test.calls',
    text: 'select waste_reason, attempt, invalidated_at is not null as is_invalidated from millrace.calls order by reserved_at',
  });
  const sum = (of: readonly Line[]) => formatUsd(sumUsd(of.map((line) => usd(line.cost_usd ?? '0'))));
  return {
    lines,
    calls,
    total: sum(lines),
    waste: sum(lines.filter((line) => line.is_waste === 1)),
    count: lines.reduce((count, line) => count + line.calls, 0),
  };
}

describe('an invalid output', () => {
  it.each([
    ['empty', { text: '', usage }],
    ['cut off', { text: 'Because of', finishReason: 'length' as const, usage }],
    ['thought only', { reasoning: 'Hm.', usage }],
  ])('that is %s is asked for again with its own pause, and is waste', async (_what, bad) => {
    const model = await create([bad, { text: 'Because.', usage }], plainly);
    expect((await run()).state).toBe('pending');
    await kit.advance(9000);
    expect(model.requests).toHaveLength(1);
    await kit.advance(1000);
    const done = await run();
    expect(done.emitted(Answered.v1)).toEqual([{ answer: 'Because.' }]);
    expect(done.messages[0]).toMatchObject({ state: 'completed', attempts: 0 });
    const { lines, calls, total, waste } = await records();
    // Known when it came: its one record says so, and nothing has to be corrected.
    expect(lines).toMatchObject([
      { record_kind: 'call', is_waste: 1, waste_reason: 'invalid_output' },
      { record_kind: 'call' },
    ]);
    expect(calls).toEqual([
      { waste_reason: 'invalid_output', attempt: 1, is_invalidated: true },
      { waste_reason: null, attempt: 2, is_invalidated: false },
    ]);
    expect([total, waste]).toEqual(['0.0009', price]);
    const { body } = await host.metrics.render();
    expect(body).toContain(`millrace_retry_cost_usd_total{owner="platform",stage="answer"} ${price}`);
  });

  it('in a stream fails the stream at its end', async () => {
    const model = await create(
      [
        { text: 'Beca', finishReason: 'length', usage },
        { text: 'Because.', usage },
      ],
      async (prompt, ctx) => {
        const { textStream } = streamText({
          model: ctx.model('openai/gpt-5-mini', { step: 'a' }),
          prompt,
          onError: ({ error }) => {
            throw error;
          },
        });
        let text = '';
        for await (const part of textStream) text += part;
        return text;
      },
    );
    await run();
    await kit.advance(10_000);
    expect(model.requests).toHaveLength(2);
    expect((await run()).emitted(Answered.v1)).toEqual([{ answer: 'Because.' }]);
    expect((await records()).waste).toBe(price);
  });

  it('that fails its schema is not given again: its cost becomes waste by a correction that adds nothing', async () => {
    const model = await create(
      [
        { text: '{"b":1}', usage },
        { text: '{"a":"Because."}', usage },
      ],
      async (prompt, ctx) => {
        const { output } = await generateText({
          model: ctx.model('openai/gpt-5-mini', { step: 'a' }),
          output: Output.object({ schema: z.object({ a: z.string() }) }),
          prompt,
        });
        return output.a;
      },
    );
    await run();
    expect(await records()).toMatchObject({ total: price, waste: price, count: 1 });
    await kit.advance(10_000);
    expect(model.requests).toHaveLength(2);
    expect((await run()).state).toBe('completed');
    const { lines, calls, total, waste, count } = await records();
    expect(lines.map(({ record_kind, cost_usd, is_waste = 0 }) => [record_kind, cost_usd, is_waste])).toEqual(
      [
        ['call', price, 0],
        ['correction', `-${price}`, 0],
        ['correction', price, 1],
        ['call', price, 0],
      ],
    );
    expect(lines.reduce((sum, line) => sum + (line.tokens_uncached_input ?? 0), 0)).toBe(2000);
    expect([total, waste, count]).toEqual(['0.0009', price, 2]);
    expect(calls.map(({ attempt, is_invalidated }) => [attempt, is_invalidated])).toEqual([
      [1, true],
      [2, false],
    ]);
  });

  it('that cannot be emitted is the answer\u2019s fault', async () => {
    const model = await create(
      [
        { text: 'no', usage },
        { text: 'Because.', usage },
      ],
      plainly,
    );
    await run();
    await kit.advance(10_000);
    expect(model.requests).toHaveLength(2);
    expect((await run()).emitted(Answered.v1)).toEqual([{ answer: 'Because.' }]);
  });

  it('is rejected by the step or by the handler, and by the step\u2019s name where there are several', async () => {
    const model = await create(
      [
        { text: 'first', usage },
        { text: 'second', usage },
        { text: 'never', usage },
        { text: 'third', usage },
      ],
      async (prompt, ctx) => {
        const ask = async (step: string) => {
          const checked = ctx.model('openai/gpt-5-mini', {
            step,
            validate: (text) => text !== 'never' || 'it says never',
          });
          return (await generateText({ model: checked, prompt: `${step} ${prompt}` })).text;
        };
        const [one, two] = [await ask('one'), await ask('two')];
        if (one === 'first') ctx.reject('it is the first', { step: 'one' });
        return `${one} ${two}`;
      },
    );
    await run();
    await kit.advance(10_000); // "one" is asked anew and fails its check
    await kit.advance(10_000); // and again; "two" is given from the record
    expect((await run()).emitted(Answered.v1)).toEqual([{ answer: 'third second' }]);
    expect(model.requests).toHaveLength(4);
    expect(await records()).toMatchObject({ total: '0.0018', waste: '0.0009', count: 4 });
  });

  it('has a budget of its own, beside that for other failures', async () => {
    const model = await create(
      (_options, request) => (request === 2 ? { error: refusal(503, 'busy') } : { text: '', usage }),
      plainly,
    );
    await run();
    for (const pause of [10_000, 1000, 10_000]) await kit.advance(pause);
    const done = await run();
    expect(model.requests).toHaveLength(4);
    expect(done.messages[0]).toMatchObject({
      state: 'dead_lettered',
      errorCode: 'MILLRACE_OUTPUT_INVALID',
    });
    const { database } = host.stores;
    const { rows } = await database.query({
      name: 'test.attempts',
      text: `select attempts, invalid_output_attempts from millrace.messages where stage = 'answer'`,
    });
    expect(rows).toEqual([{ attempts: 1, invalid_output_attempts: 3 }]);
  });

  it('is asked for again with another seed, where seeds are derived; the good answer is kept', async () => {
    let failures = 1;
    const model = await create(
      [
        { text: '', usage },
        { text: 'Because.', usage },
      ],
      async (prompt, ctx) => {
        const step = ctx.model('openai/gpt-5-mini', { step: 'a', seed: 'derived' });
        const { text } = await generateText({ model: step, prompt, temperature: 0.5 });
        if (failures > 0) {
          failures -= 1;
          throw new Error('after the answer');
        }
        return text;
      },
    );
    await run();
    await kit.advance(10_000);
    await kit.advance(1000);
    expect((await run()).emitted(Answered.v1)).toEqual([{ answer: 'Because.' }]);
    expect(model.requests).toHaveLength(2);
    const asked = model.requests.map(({ seed }) => seed);
    expect(new Set(asked).size).toBe(2);
    const { rows } = await host.stores.database.query<{ parameters: string }>({
      name: 'test.parameters',
      text: 'select parameters from millrace.calls order by reserved_at',
    });
    expect(rows.map(({ parameters }) => JSON.parse(parameters) as unknown)).toEqual(
      asked.map((seed) => ({ seed, isSeedDerived: true, temperature: 0.5 })),
    );
  });

  it('is taken where the step takes it', async () => {
    await create([{ text: 'Because of', finishReason: 'length', usage }], async (prompt, ctx) => {
      const model = ctx.model('openai/gpt-5-mini', { step: 'a', accept: ['truncated'] });
      return (await generateText({ model, prompt })).text;
    });
    expect((await run()).emitted(Answered.v1)).toEqual([{ answer: 'Because of' }]);
    expect((await records()).waste).toBe('0');
  });
});
