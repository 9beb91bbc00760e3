import type { LanguageModelV4StreamPart, LanguageModelV4Usage } from '@ai-sdk/provider';
import { generateText, streamText } from 'ai';
import { describe, expect, it } from 'vitest';
import type { ReadUsage } from '../../../src/engine/providers/own-usage.ts';
import { ScriptedModel } from '../../../src/testing/scripted-model.ts';
import { nativeProviders } from '../../support/native-provider.ts';

const native = nativeProviders();

/** A model whose usage is in words that nobody but its owner knows. */
class OwnWords extends ScriptedModel {
  readonly #usage: LanguageModelV4Usage;

  constructor(raw: Readonly<Record<string, number>>) {
    super(() => 'Four.', 'gpt-4o-mini');
    const none = { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined };
    this.#usage = {
      inputTokens: none,
      outputTokens: { total: undefined, text: undefined, reasoning: undefined },
      raw,
    };
  }

  override async doGenerate(options: Parameters<ScriptedModel['doGenerate']>[0]) {
    return { ...(await super.doGenerate(options)), usage: this.#usage };
  }

  override async doStream(options: Parameters<ScriptedModel['doStream']>[0]) {
    const { stream } = await super.doStream(options);
    const usage = this.#usage;
    return {
      stream: stream.pipeThrough(
        new TransformStream<LanguageModelV4StreamPart, LanguageModelV4StreamPart>({
          transform(part, controller) {
            controller.enqueue(part.type === 'finish' ? { ...part, usage } : part);
          },
        }),
      ),
    };
  }
}

/** As in docs/providers.md. */
const readUsage: ReadUsage = ({ usage }) => {
  const { fresh = 0, reused = 0, spoken = 0, priority = 0 } = usage as Record<string, number | undefined>;
  return {
    tokens: { uncached_input: fresh, cache_read: reused, text_output: spoken },
    ...(priority === 1 ? { tier: 'priority' } : {}),
  };
};

async function callsWith(raw: Readonly<Record<string, number>>, read: ReadUsage | undefined) {
  const scope = await native.open('house', {
    kind: 'custom',
    priceProvider: 'openai',
    model: () => new OwnWords(raw),
    ...(read === undefined ? {} : { readUsage: read }),
  });
  const model = scope.languageModel('house/gpt-4o-mini');
  await generateText({ model, prompt: 'How many?', maxOutputTokens: 100 });
  await streamText({ model, prompt: 'How many?', maxOutputTokens: 100 }).text;
  await scope.close();
  return native.models.callRows();
}

const sound = { fresh: 500, reused: 1000, spoken: 12 };

describe('a provider in code that reads its usage itself', () => {
  it('is booked by what it reads, whole and streamed', async () => {
    const rows = await callsWith(sound, readUsage);
    expect(rows).toHaveLength(2);
    for (const row of rows) {
      expect(JSON.parse(row.tokens ?? '')).toEqual({
        uncached_input: 500,
        cache_read: 1000,
        text_output: 12,
      });
      // 500 × 0.15 + 1000 × 0.075 + 12 × 0.6 = 157.2, a million.
      expect(row).toMatchObject({ settlement: 'reported', cost_usd: '0.0001572', tier: 'default' });
      expect(JSON.parse(row.raw_usage ?? '')).toEqual(sound);
    }
  });

  it('names the tier that the price is of', async () => {
    const rows = await callsWith({ ...sound, priority: 1 }, readUsage);
    expect(rows.map(({ tier }) => tier)).toEqual(['priority', 'priority']);
  });

  it.each<[string, ReadUsage]>([
    ['more than the request can have caused', () => ({ tokens: { uncached_input: 1e9, text_output: 1e9 } })],
    ['what is no count', () => ({ tokens: { uncached_input: -5, text_output: Number.NaN } })],
    [
      'nothing, because its reader throws',
      () => {
        throw new Error('unreadable');
      },
    ],
  ])('is estimated when it reads %s', async (_, hostile) => {
    const rows = await callsWith(sound, hostile);
    for (const row of rows) {
      expect(row).toMatchObject({ state: 'settled', outcome: 'ok', settlement: 'estimated' });
      const tokens = Object.values(JSON.parse(row.tokens ?? '{}') as Record<string, number>);
      expect(tokens.every((count) => count < 1000)).toBe(true);
    }
  });
});
