import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { type LanguageModel, streamText } from 'ai';
import { describe, expect, it } from 'vitest';
import type { BillEntry } from '../../src/simulator/bill.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';

/* What the simulator bills of a stream that its client breaks off. The answer would take more than a minute. */

const askedTokens = 2000;
/** Prose ends with a sentence, so that it may be somewhat shorter. */
const wholeTokens = 1900;
const charactersPerToken = 4;

const kinds: readonly [string, (url: string) => LanguageModel][] = [
  [
    'OpenAI chat completions',
    (url) => createOpenAI({ baseURL: `${url}/openai/v1`, apiKey: 'k' }).chat('gpt-5-mini'),
  ],
  [
    'OpenAI responses',
    (url) => createOpenAI({ baseURL: `${url}/openai/v1`, apiKey: 'k' }).responses('gpt-5-mini'),
  ],
  [
    'Anthropic messages',
    (url) => createAnthropic({ baseURL: `${url}/anthropic/v1`, apiKey: 'k' })('claude-haiku-4-5'),
  ],
];

async function start(cutStreams: 'whole' | 'produced'): Promise<Simulator> {
  return await startSimulator({
    seed: 7,
    cutStreams,
    charactersPerToken,
    latency: { medianMs: 0, tokensPerSecond: 25 },
    answer: { minTokens: askedTokens, maxTokens: askedTokens },
  });
}

/** Reads at least so many characters, leaves, and returns what had come. */
async function readAndLeave(model: LanguageModel, characters: number): Promise<string> {
  const leaving = new AbortController();
  const { textStream } = streamText({
    model,
    prompt: 'Tell a long story.',
    maxRetries: 0,
    abortSignal: leaving.signal,
    onError: () => undefined,
  });
  let text = '';
  for await (const delta of textStream) {
    text += delta;
    if (text.length >= characters) leaving.abort();
  }
  return text;
}

async function cutEntry(simulator: Simulator): Promise<BillEntry> {
  const read = async (): Promise<readonly BillEntry[]> =>
    ((await (await fetch(`${simulator.url}/_simulator/bill?entries=1`)).json()) as { entries: BillEntry[] })
      .entries;
  await expect.poll(async () => (await read())[0]?.usageReported, { timeout: 20_000 }).toBe(false);
  const entries = await read();
  const [entry] = entries;
  if (entries.length !== 1 || entry === undefined) throw new Error(`${entries.length} entries`);
  return entry;
}

describe.each(kinds)('a stream of %s whose client leaves', (_, modelAt) => {
  it('is billed for what was produced until then, where the provider stops', async () => {
    const simulator = await start('produced');
    try {
      const text = await readAndLeave(modelAt(simulator.url), 40);
      const entry = await cutEntry(simulator);
      const received = Math.ceil(text.length / charactersPerToken);
      expect(received).toBeGreaterThanOrEqual(10);
      expect(entry.tokens.text_output).toBeGreaterThanOrEqual(received);
      expect(entry.tokens.text_output).toBeLessThan(wholeTokens);
      expect(entry.cutAt).toBeDefined();
    } finally {
      await simulator.close();
    }
  });

  it('is billed as a whole where the provider goes on', async () => {
    const simulator = await start('whole');
    try {
      await readAndLeave(modelAt(simulator.url), 40);
      const entry = await cutEntry(simulator);
      expect(entry.tokens.text_output).toBeGreaterThan(wholeTokens);
      expect(entry.cutAt).toBeUndefined();
    } finally {
      await simulator.close();
    }
  });
});
