import type {
  LanguageModelV4,
  LanguageModelV4GenerateResult,
  LanguageModelV4StreamResult,
} from '@ai-sdk/provider';
import { embed, generateText, streamText } from 'ai';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/kernel/clock.ts';
import type { OwningMessage } from '../../src/engine/calls/call-maker.ts';
import type { CallGroup } from '../../src/engine/calls/call-group.ts';
import type { MeteredModels } from '../../src/engine/calls/metered-models.ts';
import { ScriptedEmbeddingModel, ScriptedModel } from '../../src/testing/scripted-model.ts';
import { failureOf, type ModelsHarness, openMeteredModels } from '../support/models-harness.ts';

/*
 * One odd string or number in what came back must not leave a paid call without its cost: usage, price and cost are kept,
 * the odd part gives way to a stand-in, and the handler gets its answer.
 */

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

const usage = { uncachedInput: 1000, textOutput: 100 };
/** 1000 × 0.25 + 100 × 2 per million. */
const cost = '0.000450000000000000';
const reference = 'scripted/gpt-5-mini';

/** A model that answers "Fine." with something odd in its result. */
class OddModel extends ScriptedModel {
  readonly #oddities: Partial<LanguageModelV4GenerateResult>;

  constructor(oddities: object) {
    super(() => ({ text: 'Fine.', usage }), 'gpt-5-mini');
    this.#oddities = oddities;
  }

  override async doGenerate(
    options: Parameters<LanguageModelV4['doGenerate']>[0],
  ): Promise<LanguageModelV4GenerateResult> {
    const result = await super.doGenerate(options);
    return {
      ...result,
      ...this.#oddities,
      response: { ...result.response, ...this.#oddities.response },
      usage: { ...result.usage, ...this.#oddities.usage },
    };
  }

  override async doStream(
    options: Parameters<LanguageModelV4['doStream']>[0],
  ): Promise<LanguageModelV4StreamResult> {
    const { stream, ...rest } = await super.doStream(options);
    const { response, usage: oddUsage, providerMetadata } = this.#oddities;
    const spoiled = stream.pipeThrough(
      new TransformStream({
        transform(part, controller) {
          if (part.type === 'response-metadata') controller.enqueue({ ...part, ...response });
          else if (part.type === 'finish') {
            const metadata = providerMetadata === undefined ? {} : { providerMetadata };
            controller.enqueue({ ...part, usage: { ...part.usage, ...oddUsage }, ...metadata });
          } else controller.enqueue(part);
        },
      }),
    );
    return { ...rest, stream: spoiled };
  }
}

const oddities: Readonly<Record<string, object>> = {
  'a time that is none': { response: { timestamp: new Date(Number.NaN) } },
  'a BigInt in its metadata': { providerMetadata: { odd: { size: 1n } } },
  'metadata that refer to themselves': { providerMetadata: { odd: cycle() } },
  'a BigInt in its usage block': { usage: { raw: { size: 1n } } },
  'an id that is a number': { response: { id: 5 } },
  'an id that is half an emoji': { response: { id: 'req\ud83d' } },
  'a model name that is no text': { response: { modelId: { name: 'gpt-5-mini' } } },
};

function cycle(): object {
  const self: { self?: unknown } = {};
  self.self = self;
  return self;
}

function meteredModelsOf(oddity: object, clock: Clock = systemClock): MeteredModels {
  const model = new OddModel(oddity);
  return models.metered({ scripted: { kind: 'custom', model: () => model } }, { clock });
}

async function scopeOf(metered: MeteredModels, message?: OwningMessage): Promise<CallGroup> {
  const scope = models.openScope(metered, message ?? (await models.leasedMessage()));
  scopes.push(scope);
  return scope;
}

async function expectSettled(): Promise<void> {
  const rows = await models.callRows();
  expect(rows).toEqual([
    expect.objectContaining({ state: 'settled', outcome: 'ok', settlement: 'reported' }),
  ]);
  expect(Number(rows[0]?.cost_usd)).toBe(Number(cost));
  const lines = await models.usageLines();
  expect(lines).toEqual([expect.objectContaining({ record_kind: 'call', tokens_uncached_input: 1000 })]);
  expect(Number(lines[0]?.['cost_usd'])).toBe(Number(cost));
}

describe.each(Object.keys(oddities))('an answer with %s', (what) => {
  it('is given, and its call settled with its cost', async () => {
    const scope = await scopeOf(meteredModelsOf(oddities[what] ?? {}));
    const { text } = await generateText({ model: scope.languageModel(reference), prompt: 'Hello' });
    expect(text).toBe('Fine.');
    await scope.close();
    await expectSettled();
  });

  it('is given as a stream, and its call settled with its cost', async () => {
    const scope = await scopeOf(meteredModelsOf(oddities[what] ?? {}));
    const { textStream } = streamText({
      model: scope.languageModel(reference),
      prompt: 'Hello',
      onError: () => undefined,
    });
    let text = '';
    for await (const piece of textStream) text += piece;
    expect(text).toBe('Fine.');
    await scope.close();
    await expectSettled();
  });
});

/** Not as answers are: reading them throws. */
it('keeps as open bound the most of what was asked for and what answered', async () => {
  // Without usage it is counted; gpt-5-pro is more expensive than what was asked for.
  const scope = await scopeOf(
    meteredModelsOf({ response: { modelId: 'gpt-5-pro' }, usage: { inputTokens: {}, outputTokens: {} } }),
  );
  await generateText({ model: scope.languageModel(reference), prompt: 'Hello?', maxOutputTokens: 1000 });
  const [row] = await models.callRows();
  expect(row).toMatchObject({ settlement: 'estimated', answered_model: 'gpt-5-pro' });
  // 1,000 tokens of output at 120 USD per million alone; the model that was asked has 0.002 USD.
  expect(Number(row?.upper_bound_usd)).toBeGreaterThan(0.12);
});

const malformed: Readonly<Record<string, object>> = {
  'no content': { content: undefined },
  'a part that is nothing': { content: [null] },
  'no reason why it ended': { finishReason: undefined },
};

it.each(Object.keys(malformed))('settles a call whose answer has %s, and tells the handler', async (what) => {
  const scope = await scopeOf(meteredModelsOf(malformed[what] ?? {}));
  const error = await failureOf(
    generateText({ model: scope.languageModel(reference), prompt: 'Hello', maxRetries: 0 }),
  );
  expect(error.code).toBe('MILLRACE_MODEL_MALFORMED_ANSWER');
  await scope.close();
  expect(await models.callRows()).toEqual([
    expect.objectContaining({ state: 'unsettled', error_type: 'malformed_answer' }),
  ]);
});

it("settles a call whose step's own check throws, as one whose answer is not valid", async () => {
  const { metered } = models.scripted([{ text: 'no JSON', usage }]);
  const scope = await scopeOf(metered);
  const model = scope.languageModel(reference, {
    rules: { validate: (text) => typeof JSON.parse(text) === 'object' || 'not an object' },
  });
  const error = await failureOf(generateText({ model, prompt: 'Hello' }));
  expect(error.code).toBe('MILLRACE_OUTPUT_INVALID');
  expect(error.message).toContain('not valid JSON');
  await scope.close();
  expect(await models.callRows()).toEqual([
    expect.objectContaining({ state: 'settled', settlement: 'reported', waste_reason: 'invalid_output' }),
  ]);
});

it('settles a call whose time was measured by a clock that jumped, and keeps its answer', async () => {
  let jumpedMs = 0;
  const clock: Clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + jumpedMs };
  const model = new ScriptedModel(() => {
    jumpedMs = 40 * 24 * 3_600_000;
    return { text: 'Fine.', usage };
  }, 'gpt-5-mini');
  const metered = models.metered({ scripted: { kind: 'custom', model: () => model } }, { clock });
  const message = await models.leasedMessage();
  const ask = async (scope: CallGroup): Promise<string> =>
    (await generateText({ model: scope.languageModel(reference), prompt: 'Hello' })).text;
  const scope = await scopeOf(metered, message);
  expect(await ask(scope)).toBe('Fine.');
  await scope.close();
  await expectSettled();
  const [row] = await models.callRows();
  expect(JSON.parse(row?.raw_usage ?? '')).toMatchObject({ millrace_refused: { replaced: ['durationMs'] } });
  expect(await ask(await scopeOf(metered, await models.redeliver(message)))).toBe('Fine.');
  expect(model.requests).toHaveLength(1);
});

it('settles an embedding whose answer cannot be kept', async () => {
  const embedding = new ScriptedEmbeddingModel({ modelId: 'text-embedding-3-small' });
  const odd = {
    specificationVersion: 'v4' as const,
    provider: 'scripted',
    modelId: embedding.modelId,
    maxEmbeddingsPerCall: 100,
    supportsParallelCalls: true,
    doEmbed: async (options: Parameters<typeof embedding.doEmbed>[0]) => ({
      ...(await embedding.doEmbed(options)),
      providerMetadata: { odd: { size: 1n as never } },
    }),
  };
  const scope = await scopeOf(models.metered({ scripted: { kind: 'custom', model: () => odd } }));
  const { embedding: vector } = await embed({
    model: scope.embeddingModel('scripted/text-embedding-3-small'),
    value: 'Hello',
  });
  expect(vector).toHaveLength(8);
  expect(await models.callRows()).toEqual([
    expect.objectContaining({ state: 'settled', outcome: 'ok', settlement: 'reported', answer: null }),
  ]);
});

describe('a settlement that the database refuses', () => {
  const constraint = 'test_odd_answers';
  beforeAll(() =>
    models.database.execute(
      `alter table millrace.calls add constraint ${constraint} check (answer is null or answer not like '%odd answer%')`,
    ),
  );
  afterAll(() => models.database.execute(`alter table millrace.calls drop constraint ${constraint}`));

  it('is kept as money alone, beside others that are kept whole', async () => {
    const { metered } = models.scripted(({ prompt }) => ({
      text: JSON.stringify(prompt).includes('odd') ? 'An odd answer.' : 'Fine.',
      usage,
    }));
    const texts = await Promise.all(
      ['one', 'odd', 'three', 'four'].map(async (prompt) => {
        const scope = await scopeOf(metered);
        return (await generateText({ model: scope.languageModel(reference), prompt })).text;
      }),
    );
    expect(texts).toEqual(['Fine.', 'An odd answer.', 'Fine.', 'Fine.']);
    const rows = await models.callRows();
    expect(rows.map(({ state, settlement }) => [state, settlement])).toEqual(
      rows.map(() => ['settled', 'reported']),
    );
    expect(rows.map((row) => Number(row.cost_usd))).toEqual(rows.map(() => Number(cost)));
    const [reduced, ...more] = rows.filter(({ answer }) => answer === null);
    expect(more).toEqual([]);
    expect(JSON.parse(reduced?.raw_usage ?? '')).toMatchObject({
      millrace_refused: { reason: expect.stringContaining(constraint) as unknown },
    });
    expect(models.logged.filter(({ level }) => level === 'warn')).toHaveLength(1);
    expect(await models.metricLines('ledger_reduced_writes_total')).toEqual([
      expect.stringMatching(/operation="settle"\} [1-9]/),
    ]);
  });

  it('is kept as a correction when the call had been given up', async () => {
    const message = await models.leasedMessage();
    const { metered } = models.scripted(async () => {
      await models.redeliver(message);
      const [open] = await models.calls.listAbandoned(0, 10);
      await models.calls.abandon([{ id: open?.id ?? '', line: '{}' }]);
      return { text: 'An odd answer.', usage };
    });
    const scope = await scopeOf(metered, message);
    await generateText({ model: scope.languageModel(reference), prompt: 'Hello' });
    expect(await models.callRows()).toEqual([
      expect.objectContaining({ state: 'settled', settlement: 'reported', answer: null }),
    ]);
    expect((await models.usageLines()).at(-1)).toMatchObject({ record_kind: 'correction' });
  });
});
