import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import {
  type EmbeddingModel,
  embedMany,
  generateText,
  isStepCount,
  type LanguageModel,
  type LanguageModelUsage,
  Output,
  streamText,
  tool,
} from 'ai';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { BillEntry } from '../../src/simulator/bill.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';

const text =
  'The licence grants every recipient permission to copy and change the software, without warranty. '.repeat(
    80,
  );
const prompt = `Summarise this document:\n${text}`;

let simulator: Simulator;
beforeAll(async () => {
  simulator = await startSimulator({ seed: 7, latency: { medianMs: 0 } });
});
afterEach(() => simulator.setRules([]));
afterAll(() => simulator.close());

const openai = () => createOpenAI({ baseURL: `${simulator.url}/openai/v1`, apiKey: 'test-key' });
const anthropic = () => createAnthropic({ baseURL: `${simulator.url}/anthropic/v1`, apiKey: 'test-key' });
const compatible = () =>
  createOpenAICompatible({
    name: 'elsewhere',
    baseURL: `${simulator.url}/openai/v1`,
    apiKey: 'test-key',
    includeUsage: true,
    supportsStructuredOutputs: true,
  });

const kinds: readonly [string, () => LanguageModel, string][] = [
  ['OpenAI chat completions', () => openai().chat('gpt-5-mini'), 'gpt-5-mini-2025-08-07'],
  ['OpenAI responses', () => openai().responses('gpt-5-nano'), 'gpt-5-nano-2025-08-07'],
  ['Anthropic messages', () => anthropic()('claude-haiku-4-5'), 'claude-haiku-4-5-20251001'],
  ['an OpenAI-compatible endpoint', () => compatible()('gpt-4o-mini'), 'gpt-4o-mini-2024-07-18'],
];

let calls = 0;
/** Options of a call that can be found in the bill again. */
function tagged(model: LanguageModel) {
  calls += 1;
  const callId = `call-${calls}`;
  return {
    callId,
    options: { model, maxRetries: 0, headers: { 'x-millrace-call-id': callId, 'x-millrace-step': 's' } },
  };
}

async function billed(callId: string): Promise<BillEntry[]> {
  const { entries = [] } = await simulator.bill({ entries: true });
  return entries.filter((entry) => entry.callId === callId);
}

function expectSameUsage(usage: LanguageModelUsage, entries: readonly BillEntry[]): void {
  const sum = (...names: (keyof BillEntry['tokens'])[]): number =>
    entries.reduce((total, { tokens }) => names.reduce((part, name) => part + tokens[name], total), 0);
  expect(entries.length).toBeGreaterThan(0);
  expect(usage.inputTokens).toBe(sum('uncached_input', 'cache_read', 'cache_write_5m', 'cache_write_1h'));
  expect(usage.inputTokenDetails.noCacheTokens).toBe(sum('uncached_input'));
  expect(usage.inputTokenDetails.cacheReadTokens).toBe(sum('cache_read'));
  expect(usage.inputTokenDetails.cacheWriteTokens ?? 0).toBe(sum('cache_write_5m', 'cache_write_1h'));
  expect(usage.outputTokens).toBe(sum('text_output', 'reasoning'));
  expect(usage.outputTokenDetails.reasoningTokens ?? 0).toBe(sum('reasoning'));
  expect(entries.every(({ usageReported }) => usageReported)).toBe(true);
}

const weather = tool({
  description: 'The weather at a place',
  inputSchema: z.object({
    place: z.string(),
    unit: z.enum(['celsius', 'fahrenheit']),
    days: z.int().min(1).max(7),
  }),
  execute: ({ place }) => Promise.resolve({ place, degrees: 21 }),
});

const verdict = z.object({
  category: z.enum(['licence', 'manual', 'letter']),
  confidence: z.number().min(0).max(1),
  reasons: z.array(z.object({ text: z.string(), weight: z.int().min(1).max(5) })).min(1),
});

describe.each(kinds)('the AI SDK against %s', (_name, model, answeredId) => {
  it('reads an answer, its usage and its model as they were billed', async () => {
    const { callId, options } = tagged(model());
    const result = await generateText({ ...options, prompt });
    expect(result.text.length).toBeGreaterThan(40);
    expect(result.text).toMatch(/licence|software|warranty|recipient|permission/);
    expect(result.finishReason).toBe('stop');
    expect(result.finalStep.response.modelId).toBe(answeredId);
    const entries = await billed(callId);
    expect(entries).toMatchObject([{ modelAnswered: answeredId, step: 's', fault: null }]);
    expectSameUsage(result.usage, entries);
  });

  it('streams the same answer with the same usage kinds', async () => {
    const { callId, options } = tagged(model());
    const result = streamText({ ...options, prompt });
    let pieces = 0;
    let streamed = '';
    for await (const piece of result.textStream) {
      pieces += 1;
      streamed += piece;
    }
    expect(pieces).toBeGreaterThan(2);
    expect(streamed).toBe(await result.text);
    expect(await result.finishReason).toBe('stop');
    expect((await result.finalStep).response.modelId).toBe(answeredId);
    expectSameUsage(await result.usage, await billed(callId));
  });

  it('answers the same to the same prompt', async () => {
    const first = await generateText({ ...tagged(model()).options, prompt });
    const second = await generateText({ ...tagged(model()).options, prompt });
    const other = await generateText({ ...tagged(model()).options, prompt: `${prompt}!` });
    expect(second.text).toBe(first.text);
    expect(second.usage).toEqual(first.usage);
    expect(other.text).not.toBe(first.text);
  });

  it('gives an object that fits the schema', async () => {
    const { callId, options } = tagged(model());
    const result = await generateText({ ...options, prompt, output: Output.object({ schema: verdict }) });
    expect(verdict.safeParse(result.output).success).toBe(true);
    expectSameUsage(result.usage, await billed(callId));
  });

  it('streams an object that fits the schema', async () => {
    const { callId, options } = tagged(model());
    const result = streamText({ ...options, prompt, output: Output.object({ schema: verdict }) });
    await result.consumeStream();
    expect(verdict.safeParse(await result.output).success).toBe(true);
    expectSameUsage(await result.usage, await billed(callId));
  });

  it.each(['whole', 'streamed'])('runs a tool loop to its end, %s', async (how) => {
    const { callId, options } = tagged(model());
    const loop = {
      ...options,
      prompt,
      tools: { weather },
      stopWhen: isStepCount(4),
      prepareStep: ({ stepNumber }: { stepNumber: number }) =>
        ({ toolChoice: stepNumber === 0 ? 'required' : 'auto' }) as const,
    };
    const result = how === 'whole' ? await generateText(loop) : streamText(loop);
    const steps = await result.steps;
    expect(steps.map(({ finishReason }) => finishReason)).toEqual(['tool-calls', 'stop']);
    expect(steps[0]?.toolCalls[0]).toMatchObject({
      toolName: 'weather',
      input: { unit: expect.any(String) },
    });
    expect(steps[0]?.toolResults[0]?.output).toMatchObject({ degrees: 21 });
    expect((await result.text).length).toBeGreaterThan(10);
    const entries = await billed(callId);
    expect(entries).toHaveLength(2);
    expectSameUsage(await result.usage, entries);
  });

  it('leaves the choice of a tool to the seed', async () => {
    const finishes = new Set<string>();
    for (let index = 0; index < 12; index += 1) {
      const { options } = tagged(model());
      const result = await generateText({
        ...options,
        prompt: `Question ${index}: ${text}`,
        tools: { weather },
      });
      finishes.add(result.finishReason);
    }
    expect(finishes).toEqual(new Set(['tool-calls', 'stop']));
  });

  it('stops at the output limit', async () => {
    const { callId, options } = tagged(model());
    const result = await generateText({ ...options, prompt, maxOutputTokens: 16 });
    expect(result.finishReason).toBe('length');
    expect(result.usage.outputTokens).toBe(16);
    expectSameUsage(result.usage, await billed(callId));
  });
});

describe('token classes', () => {
  it('let OpenAI cache long prompts unasked', async () => {
    let cached = 0;
    for (let index = 0; index < 8; index += 1) {
      const { callId, options } = tagged(openai().responses('gpt-5-mini'));
      const result = await generateText({ ...options, prompt: `${prompt} ${index}` });
      cached += result.usage.inputTokenDetails.cacheReadTokens ?? 0;
      expectSameUsage(result.usage, await billed(callId));
    }
    expect(cached).toBeGreaterThan(0);
    expect(cached % 128).toBe(0);
  });

  it.each(['5m', '1h'] as const)('let Anthropic write and read a cache of %s where asked', async (ttl) => {
    const seen = { read: 0, written: 0 };
    for (let index = 0; index < 12; index += 1) {
      const { callId, options } = tagged(anthropic()('claude-sonnet-4-5'));
      const result = await generateText({
        ...options,
        messages: [
          {
            role: 'user',
            content: [
              {
                type: 'text',
                text,
                providerOptions: { anthropic: { cacheControl: { type: 'ephemeral', ttl } } },
              },
              { type: 'text', text: `Question ${index}` },
            ],
          },
        ],
      });
      const entries = await billed(callId);
      expectSameUsage(result.usage, entries);
      const { tokens } = entries[0] as BillEntry;
      expect(ttl === '1h' ? tokens.cache_write_5m : tokens.cache_write_1h).toBe(0);
      seen.read += tokens.cache_read;
      seen.written += tokens.cache_write_5m + tokens.cache_write_1h;
    }
    expect(seen.read).toBeGreaterThan(0);
    expect(seen.written).toBeGreaterThan(0);
  });

  it('count thinking that was switched on', async () => {
    const { callId, options } = tagged(anthropic()('claude-sonnet-4-5'));
    const result = await generateText({
      ...options,
      prompt,
      providerOptions: { anthropic: { thinking: { type: 'enabled', budgetTokens: 2000 } } },
    });
    expect(result.finalStep.reasoningText?.length).toBeGreaterThan(10);
    expect(result.usage.outputTokenDetails.reasoningTokens).toBeGreaterThan(0);
    expectSameUsage(result.usage, await billed(callId));
  });

  it.each(['flex', 'priority'] as const)('bill the %s tier and say so', async (serviceTier) => {
    const { callId, options } = tagged(openai().responses('gpt-5-mini'));
    const result = await generateText({ ...options, prompt, providerOptions: { openai: { serviceTier } } });
    expect(result.finalStep.providerMetadata?.['openai']?.['serviceTier']).toBe(serviceTier);
    expect((await billed(callId))[0]?.tier).toBe(serviceTier);
  });

  it('embed texts in order, near ones nearer', async () => {
    const model: EmbeddingModel = openai().embedding('text-embedding-3-small');
    const values = [
      'licence and warranty of software',
      'warranty and licence of the software',
      'bananas ripen slowly',
    ];
    const { embeddings, usage } = await embedMany({
      model,
      values,
      maxRetries: 0,
      headers: { 'x-millrace-call-id': 'embed' },
    });
    const dot = (left = 0, right = 0): number =>
      (embeddings[left] ?? []).reduce(
        (sum, value, index) => sum + value * (embeddings[right]?.[index] ?? 0),
        0,
      );
    expect(embeddings.map(({ length }) => length)).toEqual([1536, 1536, 1536]);
    expect(dot(0, 0)).toBeCloseTo(1, 3);
    expect(dot(0, 1)).toBeGreaterThan(dot(0, 2) + 0.3);
    expect((await billed('embed'))[0]?.tokens.uncached_input).toBe(usage.tokens);
  });

  it('bill a model that no catalogue prices', async () => {
    const { callId, options } = tagged(openai().chat('experimental-unpriced'));
    await generateText({ ...options, prompt });
    expect(Number((await billed(callId))[0]?.costUsd)).toBeGreaterThan(0);
  });
});

describe('answers to another attempt', () => {
  const answers = async (answersByAttempt: boolean): Promise<readonly string[]> => {
    const other = await startSimulator({ seed: 7, latency: { medianMs: 0 }, answersByAttempt });
    const body = JSON.stringify({
      model: 'gpt-4o-mini',
      messages: [{ role: 'user', content: 'Twice the same' }],
    });
    const ask = async (attempt: string): Promise<string> => {
      const response = await fetch(`${other.url}/openai/v1/chat/completions`, {
        method: 'POST',
        headers: {
          authorization: 'Bearer test-key',
          'content-type': 'application/json',
          'x-millrace-attempt': attempt,
        },
        body,
      });
      const { choices } = (await response.json()) as { choices: { message: { content: string } }[] };
      return choices[0]?.message.content ?? '';
    };
    const said = [await ask('1'), await ask('2')];
    await other.close();
    return said;
  };

  it('are other words, or the same where that is asked for', async () => {
    expect(new Set(await answers(true)).size).toBe(2);
    const [first = '', second] = await answers(false);
    expect(first).not.toBe('');
    expect(second).toBe(first);
  });
});
