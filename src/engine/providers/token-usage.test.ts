import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countTokens, inputTokenClasses, outputTokenClasses } from '../../pricing/token-classes.ts';
import { anthropicUsage } from './token-usage.anthropic.ts';
import { openAiUsage } from './token-usage.openai.ts';
import { genericUsage } from './token-usage.ts';

const count = fc.nat({ max: 2_000_000 });

/** A total with two parts inside it. */
const totalWithParts = fc
  .tuple(count, count, count)
  .map(([rest, one, two]) => ({ total: rest + one + two, rest, one, two }));

describe('usage of OpenAI', () => {
  it('of chat completions: cached tokens lie in the prompt, reasoning in the completion', () => {
    const raw = {
      prompt_tokens: 2006,
      completion_tokens: 300,
      total_tokens: 2306,
      prompt_tokens_details: { cached_tokens: 1920, audio_tokens: 0 },
      completion_tokens_details: {
        reasoning_tokens: 256,
        audio_tokens: 0,
        accepted_prediction_tokens: 0,
        rejected_prediction_tokens: 0,
      },
    };
    expect(openAiUsage(raw)).toEqual({
      input: { cache_read: 1920, uncached_input: 86 },
      output: { reasoning: 256, text_output: 44 },
      faults: [],
    });
  });

  it('of responses: the same under other names', () => {
    const raw = {
      input_tokens: 75,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: 1186,
      output_tokens_details: { reasoning_tokens: 1024 },
      total_tokens: 1261,
    };
    expect(openAiUsage(raw)).toEqual({
      input: { uncached_input: 75 },
      output: { reasoning: 1024, text_output: 162 },
      faults: [],
    });
  });

  it('of audio models: audio apart in both halves', () => {
    const raw = {
      prompt_tokens: 100,
      completion_tokens: 80,
      total_tokens: 180,
      prompt_tokens_details: { cached_tokens: 0, audio_tokens: 60 },
      completion_tokens_details: { audio_tokens: 50, reasoning_tokens: 0 },
    };
    expect(openAiUsage(raw)).toMatchObject({
      input: { audio_input: 60, uncached_input: 40 },
      output: { audio_output: 50, text_output: 30 },
    });
  });

  it('of compatible providers: reasoning beside the completion shows in the total', () => {
    const raw = {
      prompt_tokens: 32,
      completion_tokens: 9,
      total_tokens: 135,
      completion_tokens_details: { reasoning_tokens: 94 },
    };
    expect(openAiUsage(raw)).toEqual({
      input: { uncached_input: 32 },
      output: { reasoning: 94, text_output: 9 },
      faults: [],
    });
  });

  it('of compatible providers: cache hits in a field of their own', () => {
    const raw = {
      prompt_tokens: 100,
      completion_tokens: 5,
      prompt_cache_hit_tokens: 64,
      prompt_cache_miss_tokens: 36,
    };
    expect(openAiUsage(raw).input).toEqual({ cache_read: 64, uncached_input: 36 });
  });

  it('that contradicts itself is taken as well as can be, with its faults', () => {
    const cached = openAiUsage({
      prompt_tokens: 10,
      completion_tokens: 0,
      prompt_tokens_details: { cached_tokens: 12 },
    });
    expect(cached.input).toEqual({ cache_read: 10 });
    expect(cached.faults).toHaveLength(1);
    const negative = openAiUsage({ prompt_tokens: -5, completion_tokens: 2.5 });
    expect(negative).toMatchObject({ input: undefined, output: { text_output: 3 } });
    expect(negative.faults).toHaveLength(2);
    const total = openAiUsage({ prompt_tokens: 10, completion_tokens: 10, total_tokens: 50 });
    expect(total.output).toEqual({ reasoning: 30, text_output: 10 });
    expect(total.faults).toHaveLength(1);
  });

  it('that is not there, or only half there, is not made up', () => {
    expect(openAiUsage({})).toEqual({ input: undefined, output: undefined, faults: [] });
    expect(openAiUsage({ prompt_tokens: 3 })).toMatchObject({
      input: { uncached_input: 3 },
      output: undefined,
    });
  });

  it('becomes disjoint classes that add up to its totals', () => {
    fc.assert(
      fc.property(totalWithParts, totalWithParts, fc.boolean(), (input, output, isResponses) => {
        const details = [
          { cached_tokens: input.one, cache_write_tokens: input.two },
          { reasoning_tokens: output.one, audio_tokens: output.two },
        ];
        const raw = isResponses
          ? {
              input_tokens: input.total,
              output_tokens: output.total,
              input_tokens_details: details[0],
              output_tokens_details: details[1],
            }
          : {
              prompt_tokens: input.total,
              completion_tokens: output.total,
              prompt_tokens_details: details[0],
              completion_tokens_details: details[1],
            };
        const usage = openAiUsage({ ...raw, total_tokens: input.total + output.total });
        expect(usage.faults).toEqual([]);
        expect(countTokens(usage.input ?? {}, inputTokenClasses)).toBe(input.total);
        expect(countTokens(usage.output ?? {}, outputTokenClasses)).toBe(output.total);
        expect(usage.input?.uncached_input ?? 0).toBe(input.rest);
        expect(usage.output?.text_output ?? 0).toBe(output.rest);
      }),
    );
  });

  it('never yields a count that is not whole, whatever was sent', () => {
    const anything = fc.oneof(fc.double(), fc.integer(), fc.constant(null), fc.string());
    fc.assert(
      fc.property(
        anything,
        anything,
        anything,
        anything,
        anything,
        (prompt_tokens, completion_tokens, total_tokens, cached_tokens, reasoning_tokens) => {
          const usage = openAiUsage({
            prompt_tokens,
            completion_tokens,
            total_tokens,
            prompt_tokens_details: { cached_tokens },
            completion_tokens_details: { reasoning_tokens },
          });
          // Fails on a count that is negative or not whole.
          countTokens({ ...usage.input, ...usage.output });
        },
      ),
    );
  });
});

describe('usage of Anthropic', () => {
  it('is disjoint already; writes split by lifetime', () => {
    const raw = {
      input_tokens: 21,
      cache_creation_input_tokens: 2051,
      cache_read_input_tokens: 1800,
      cache_creation: { ephemeral_5m_input_tokens: 1000, ephemeral_1h_input_tokens: 1051 },
      output_tokens: 393,
      service_tier: 'standard',
      server_tool_use: { web_search_requests: 0 },
    };
    expect(anthropicUsage(raw)).toEqual({
      input: { uncached_input: 21, cache_read: 1800, cache_write_5m: 1000, cache_write_1h: 1051 },
      output: { text_output: 393 },
      faults: [],
    });
  });

  it('without lifetimes counts writes as the short-lived ones that they are by default', () => {
    const raw = {
      input_tokens: 1,
      cache_creation_input_tokens: 7,
      cache_read_input_tokens: 0,
      output_tokens: 2,
    };
    expect(anthropicUsage(raw).input).toEqual({ uncached_input: 1, cache_write_5m: 7 });
  });

  it('with thinking counts it apart from the text', () => {
    const raw = { input_tokens: 5, output_tokens: 100, output_tokens_details: { thinking_tokens: 80 } };
    expect(anthropicUsage(raw).output).toEqual({ reasoning: 80, text_output: 20 });
  });

  it('of several samplings adds up those of the asked model, and says when another took part', () => {
    const iterations = [
      { type: 'compaction', input_tokens: 180_000, output_tokens: 3500 },
      { type: 'message', input_tokens: 23_000, output_tokens: 1000 },
    ];
    const raw = { input_tokens: 23_000, output_tokens: 1000, iterations };
    expect(anthropicUsage(raw)).toMatchObject({
      input: { uncached_input: 203_000 },
      output: { text_output: 4500 },
      faults: [],
    });
    const advised = {
      ...raw,
      iterations: [...iterations, { type: 'advisor_message', input_tokens: 9, output_tokens: 9 }],
    };
    expect(anthropicUsage(advised).faults).toHaveLength(1);
  });

  it('sums the cache classes of the samplings, too', () => {
    const raw = {
      input_tokens: 210,
      output_tokens: 12,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
      iterations: [
        {
          type: 'compaction',
          input_tokens: 120,
          output_tokens: 90,
          cache_creation: { ephemeral_5m_input_tokens: 40_000 },
        },
        { type: 'message', input_tokens: 210, output_tokens: 12, cache_read_input_tokens: 7 },
      ],
    };
    expect(anthropicUsage(raw)).toEqual({
      input: { uncached_input: 330, cache_write_5m: 40_000, cache_read: 7 },
      output: { text_output: 102 },
      faults: [],
    });
  });

  it('below zero is missing for that half', () => {
    expect(anthropicUsage({ input_tokens: -1, output_tokens: 5 })).toMatchObject({
      input: undefined,
      output: { text_output: 5 },
    });
    expect(anthropicUsage({ input_tokens: 5, output_tokens: -1 }).output).toBeUndefined();
  });

  it('with lifetimes that do not add up is a fault', () => {
    const raw = {
      input_tokens: 1,
      output_tokens: 1,
      cache_creation_input_tokens: 10,
      cache_creation: { ephemeral_5m_input_tokens: 1, ephemeral_1h_input_tokens: 2 },
    };
    expect(anthropicUsage(raw)).toMatchObject({ input: { cache_write_5m: 8, cache_write_1h: 2 } });
    expect(anthropicUsage(raw).faults).toHaveLength(1);
  });

  it('becomes classes that add up', () => {
    fc.assert(
      fc.property(count, count, count, count, totalWithParts, (uncached, read, short, long, output) => {
        const usage = anthropicUsage({
          input_tokens: uncached,
          cache_read_input_tokens: read,
          cache_creation_input_tokens: short + long,
          cache_creation: { ephemeral_5m_input_tokens: short, ephemeral_1h_input_tokens: long },
          output_tokens: output.total,
          output_tokens_details: { thinking_tokens: output.one },
        });
        expect(usage.faults).toEqual([]);
        expect(countTokens(usage.input ?? {})).toBe(uncached + read + short + long);
        expect(countTokens(usage.output ?? {})).toBe(output.total);
      }),
    );
  });
});

describe('usage of any other model', () => {
  it('is split from the fields of the SDK', () => {
    expect(
      genericUsage({
        inputTokens: { total: 100, noCache: 60, cacheRead: 30, cacheWrite: 10 },
        outputTokens: { total: 20, text: 15, reasoning: 5 },
      }),
    ).toEqual({
      input: { cache_read: 30, cache_write_5m: 10, uncached_input: 60 },
      output: { reasoning: 5, text_output: 15 },
      faults: [],
    });
  });

  it('that is undefined stays so', () => {
    const none = { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined };
    const usage = genericUsage({
      inputTokens: none,
      outputTokens: { total: undefined, text: undefined, reasoning: undefined },
    });
    expect(usage).toEqual({ input: undefined, output: undefined, faults: [] });
  });
});
