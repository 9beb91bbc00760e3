import { Inject, Injectable } from '@nestjs/common';
import { generateText, streamText } from 'ai';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  AppError,
  type MessageOf,
  Stage,
  type StageContext,
  defineMessage,
  defineStage,
} from '../../src/millrace.ts';
import { ScriptedModel, TestKit, refusal } from '../../src/testing.ts';

const DocumentFetched = defineMessage('document.fetched').version(
  1,
  z.object({ documentId: z.string(), text: z.string() }),
);
const SummaryReady = defineMessage('summary.ready').version(
  1,
  z.object({ documentId: z.string(), summary: z.string() }),
);
const SummaryStored = defineMessage('summary.stored').version(1, z.object({ documentId: z.string() }));

const summarise = defineStage('summarise', {
  consumes: DocumentFetched.upTo(1),
  emits: [SummaryReady.v1],
  retry: { maxAttempts: 3, backoff: ['10s'], jitter: 0 },
});

@Stage(summarise)
class SummariseStage {
  async handle(message: MessageOf<typeof summarise>, ctx: StageContext) {
    const { text } = await generateText({
      model: ctx.model('openai/gpt-5-mini', { step: 'summary' }),
      prompt: `Summarise:\n${message.data.text}`,
      abortSignal: ctx.signal,
    });
    ctx.emit(SummaryReady.v1, { documentId: message.data.documentId, summary: text });
    return { characters: text.length };
  }
}

@Injectable()
class Shelf {
  readonly summaries = new Map<string, string>();
  failures = 0;
}

const store = defineStage('store', {
  consumes: SummaryReady.upTo(1),
  emits: [SummaryStored.v1],
  retry: { maxAttempts: 2, backoff: ['5s'], jitter: 0 },
});

@Stage(store)
class StoreStage {
  readonly #shelf: Shelf;
  constructor(@Inject(Shelf) shelf: Shelf) {
    this.#shelf = shelf;
  }

  handle(message: MessageOf<typeof store>, ctx: StageContext) {
    if (this.#shelf.failures > 0) {
      this.#shelf.failures -= 1;
      throw new Error('the shelf is full');
    }
    this.#shelf.summaries.set(message.data.documentId, message.data.summary);
    ctx.emit(SummaryStored.v1, { documentId: message.data.documentId });
  }
}

const origin = { team: 'blue', customer: 'acme', feature: 'search' };
const usage = { uncachedInput: 1000, cacheRead: 200, textOutput: 100, reasoning: 20 };
// 1000 × 0.25 + 200 × 0.025 + 120 × 2 dollars a million
const bill = '0.000495';

describe('a stage in the test kit', () => {
  let kit: TestKit;
  afterEach(() => kit.close());

  const create = async (model: ScriptedModel, shelf = new Shelf()): Promise<TestKit> => {
    kit = await TestKit.create({
      providers: [SummariseStage, StoreStage, { provide: Shelf, useValue: shelf }],
      models: { 'openai/gpt-5-mini': model },
    });
    return kit;
  };

  it('runs a message through the pipeline, and knows to the last decimal what it cost', async () => {
    const shelf = new Shelf();
    await create(new ScriptedModel([{ text: 'short', usage }]), shelf);
    const run = await kit.run(DocumentFetched.v1, { documentId: 'd1', text: 'long' }, { origin });
    expect(run.messages.map(({ stage, state }) => [stage, state])).toEqual([
      ['summarise', 'completed'],
      ['store', 'completed'],
      ['', 'completed'],
    ]);
    expect(run.emitted(SummaryReady.v1)).toEqual([{ documentId: 'd1', summary: 'short' }]);
    expect(run.messages[0]?.result).toEqual({ characters: 5 });
    expect(run.spend()).toEqual({ calls: 1, usd: bill });
    expect(shelf.summaries.get('d1')).toBe('short');
  });

  it('makes a refused call again after its pause, one request an attempt, and gives up when none is left', async () => {
    const model = new ScriptedModel(() => ({ error: refusal(500, 'oh') }));
    await create(model);
    let run = await kit.run(DocumentFetched.v1, { documentId: 'd1', text: 'long' }, { origin, id: 'd1' });
    expect(run.state).toBe('pending');
    expect(model.requests).toHaveLength(1);
    await kit.advance(9000);
    expect(model.requests).toHaveLength(1);
    await kit.advance(1000);
    expect(model.requests).toHaveLength(2);
    await kit.advance(10_000);
    run = await kit.run(DocumentFetched.v1, { documentId: 'd1', text: 'long' }, { origin, id: 'd1' });
    expect(model.requests).toHaveLength(3);
    expect(run.messages[0]).toMatchObject({
      state: 'dead_lettered',
      errorCode: 'MILLRACE_MODEL_SERVER_ERROR',
      attempts: 3,
    });
    expect(run.spend()).toEqual({ calls: 3, usd: '0' });
  });

  it('makes a call again when the time that its provider named has passed, in the hands of the test', async () => {
    const slow = refusal(429, 'slow down', { headers: { 'retry-after': '600' } });
    const model = new ScriptedModel([{ error: slow }, { text: 'short', usage }]);
    await create(model);
    const { messageIds } = await kit.millrace.admit(
      DocumentFetched.v1,
      { documentId: 'd1', text: 'long' },
      { origin },
    );
    await kit.runDue();
    await kit.advance(599_000);
    expect(model.requests).toHaveLength(1);
    await kit.advance(1000);
    expect(model.requests).toHaveLength(2);
    (await kit.look(messageIds)).assertCompleted();
  });

  it.each(['generateText', 'streamText'])(
    'gives a message up at once whose script has ended, of %s',
    async (way) => {
      const asking = defineStage('asking', { consumes: DocumentFetched.v1 });
      @Stage(asking)
      class AskingStage {
        async handle(message: MessageOf<typeof asking>, ctx: StageContext) {
          const model = ctx.model('openai/gpt-5-mini', { step: 'summary' });
          const request = { model, prompt: message.data.text };
          if (way === 'generateText') return (await generateText(request)).text;
          return await streamText({ ...request, onError: () => undefined }).text;
        }
      }
      kit = await TestKit.create({
        providers: [AskingStage],
        models: { 'openai/gpt-5-mini': new ScriptedModel([]) },
      });
      const run = await kit.run(DocumentFetched.v1, { documentId: 'd1', text: 'long' }, { origin });
      expect(run.messages).toMatchObject([
        { state: 'dead_lettered', errorCode: 'MILLRACE_MODEL_BAD_REQUEST', attempts: 1 },
      ]);
      expect(run.error).toContain('The script has no answer for request 1.');
      expect(run.spend()).toEqual({ calls: 1, usd: '0' });
    },
  );

  it('does not pay again for a step whose answer is recorded when a later line of the handler fails', async () => {
    const failing = defineStage('failing', {
      consumes: DocumentFetched.upTo(1),
      retry: { maxAttempts: 2, backoff: ['1s'] },
    });
    let runs = 0;
    @Stage(failing)
    class FailingStage {
      async handle(message: MessageOf<typeof failing>, ctx: StageContext) {
        const { text } = await generateText({
          model: ctx.model('openai/gpt-5-mini', { step: 'summary' }),
          prompt: message.data.text,
        });
        runs += 1;
        if (runs === 1) throw new AppError('MILLRACE_DATABASE_UNAVAILABLE', 'away for a moment');
        return text;
      }
    }
    const model = new ScriptedModel([{ text: 'once', usage }]);
    kit = await TestKit.create({ providers: [FailingStage], models: { 'openai/gpt-5-mini': model } });
    const { messageIds } = await kit.millrace.admit(
      DocumentFetched.v1,
      { documentId: 'd', text: 't' },
      { origin },
    );
    await kit.runDue();
    await kit.advance(2000);
    const run = await kit.look(messageIds);
    expect(run.messages).toMatchObject([{ state: 'completed', result: 'once', attempts: 1 }]);
    expect(runs).toBe(2);
    expect(model.requests).toHaveLength(1);
    expect(run.spend()).toEqual({ calls: 1, usd: bill });
  });

  it('shows errors, calls and prompts, and prints them where a run is not what was expected', async () => {
    const shelf = new Shelf();
    shelf.failures = 1;
    const model = new ScriptedModel([{ error: refusal(500, 'oh') }, { text: 'short', usage }]);
    await create(model, shelf);
    const { messageIds } = await kit.millrace.admit(
      DocumentFetched.v1,
      { documentId: 'd1', text: 'long' },
      { origin },
    );
    await kit.runDue();
    const failed = await kit.look(messageIds);
    // It waits for its next attempt, and the reason is there already.
    expect(failed.error).toMatch(/^MILLRACE_MODEL_SERVER_ERROR: .*oh/);
    expect(failed.calls).toEqual([
      {
        stage: 'summarise',
        step: 'summary',
        model: 'openai/gpt-5-mini',
        outcome: 'error',
        usd: '0',
        prompt: 'Summarise:\nlong',
      },
    ]);
    await kit.advance(10_000);
    const stuck = await kit.look(messageIds);
    expect(() => stuck.assertCompleted()).toThrow(
      /document\.fetched → summarise: completed, 1 failed attempts\n[^]*summary\.ready → store: pending, 1 failed attempts\n {2}Error: the shelf is full\n[^]*asked: Summarise: long/,
    );
    await kit.advance(5000);
    const done = await kit.look(messageIds);
    done.assertCompleted();
    expect(done.error).toBeUndefined();
    expect(done.report()).toContain('summary.stored → (output): completed');
    // The model sees the request as in production.
    expect(model.requests.flatMap(({ headers }) => Object.keys(headers ?? {}))).not.toContain(
      'x-millrace-call-id',
    );
  });

  it("prices a provider of one's own by the list that it is told", async () => {
    const own = defineStage('own', { consumes: DocumentFetched.v1 });
    @Stage(own)
    class OwnStage {
      async handle(message: MessageOf<typeof own>, ctx: StageContext) {
        const model = ctx.model('eu/gpt-5-mini', { step: 'summary' });
        return (await generateText({ model, prompt: message.data.text })).text;
      }
    }
    kit = await TestKit.create({
      providers: [OwnStage],
      models: { 'eu/gpt-5-mini': new ScriptedModel([{ text: 'short', usage }]) },
      priceProviders: { eu: 'openai' },
    });
    const run = await kit.run(DocumentFetched.v1, { documentId: 'd1', text: 'long' }, { origin });
    expect(run.spend()).toEqual({ calls: 1, usd: bill });
  });

  it('gives a message up at once when its error cannot pass', async () => {
    await create(new ScriptedModel([{ error: refusal(400, 'bad') }]));
    const run = await kit.run(DocumentFetched.v1, { documentId: 'd1', text: 'long' }, { origin });
    expect(run.messages).toMatchObject([{ state: 'dead_lettered', errorCode: 'MILLRACE_MODEL_BAD_REQUEST' }]);
  });

  it('writes nothing half: a stage that fails after emitting has emitted nothing', async () => {
    const shelf = new Shelf();
    shelf.failures = 5;
    await create(new ScriptedModel([{ text: 'short', usage }]), shelf);
    const run = await kit.run(DocumentFetched.v1, { documentId: 'd1', text: 'long' }, { origin });
    expect(run.emitted(SummaryStored.v1)).toEqual([]);
    await kit.advance(5000);
    const { messageIds } = await kit.millrace.admit(
      DocumentFetched.v1,
      { documentId: 'd2', text: 'x' },
      { origin },
    );
    expect(messageIds).toHaveLength(1);
  });

  it('refuses what is not valid, with nothing written', async () => {
    await create(new ScriptedModel([]));
    await expect(
      kit.millrace.admit(DocumentFetched.v1, { documentId: 1 } as never, { origin }),
    ).rejects.toMatchObject({ code: 'MILLRACE_MESSAGE_INVALID' });
    await expect(
      kit.millrace.admit(
        DocumentFetched.v1,
        { documentId: 'd', text: 't' },
        { origin: { team: 'x' } as never },
      ),
    ).rejects.toMatchObject({ code: 'MILLRACE_ORIGIN_INVALID' });
    await expect(
      kit.millrace.admit(
        DocumentFetched.v1,
        { documentId: 'd', text: 'x' },
        { origin, id: 'a', source: '/v1/batches/0199a0f0-0000-7000-8000-000000000000' },
      ),
    ).rejects.toMatchObject({ code: 'MILLRACE_MESSAGE_INVALID', faults: [{ field: 'source' }] });
    await expect(kit.millrace.admit(SummaryStored.v1, { documentId: 'd' }, { origin })).rejects.toMatchObject(
      {
        code: 'MILLRACE_MESSAGE_TYPE_UNKNOWN',
        message: expect.stringContaining('document.fetched') as string,
      },
    );
    await expect(
      kit.millrace.admit(DocumentFetched.v1, { documentId: 'd', text: 'x'.repeat(20_000_000) }, { origin }),
    ).rejects.toMatchObject({ code: 'MILLRACE_MESSAGE_TOO_LARGE' });
    expect((await kit.millrace.status()).messages).toMatchObject({ pending: 0, completed: 0 });
  });
});
