import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countTokens, ratedKinds } from '../../pricing/token-classes.ts';
import { chargedUsd, unitsOfBody, unitsOfUsage } from './usage-counts.ts';
import { shapeOf, usageInShape, type UsageShape } from './usage-shapes.ts';

const shapes: readonly UsageShape[] = ['openai', 'anthropic', 'gemini', 'bedrock', 'cohere'];

/** What a provider may write where a count belongs. */
const written = fc.oneof(
  { weight: 6, arbitrary: fc.nat({ max: 100_000 }) },
  fc.constantFrom<unknown>(-1, 1.5, '12', '', null, Number.MAX_SAFE_INTEGER, 1e308, 'x', {}, []),
);
const modalities = fc.array(
  fc.record({
    modality: fc.constantFrom('TEXT', 'AUDIO', 'IMAGE', 'VIDEO', 'DOCUMENT', 7),
    tokenCount: written,
  }),
  { maxLength: 4 },
);
const details = fc.dictionary(
  fc.constantFrom(
    'cached_tokens',
    'audio_tokens',
    'image_tokens',
    'text_tokens',
    'reasoning_tokens',
    'cache_write_tokens',
  ),
  written,
);

/** A usage block with fields of every form, sound or not. */
const anyUsage = fc.dictionary(
  fc.constantFrom(
    'prompt_tokens',
    'completion_tokens',
    'total_tokens',
    'input_tokens',
    'output_tokens',
    'citation_tokens',
    'cache_creation_input_tokens',
    'cache_read_input_tokens',
    'num_cached_tokens',
    'reasoning_tokens',
    'promptTokenCount',
    'candidatesTokenCount',
    'thoughtsTokenCount',
    'cachedContentTokenCount',
    'toolUsePromptTokenCount',
    'totalTokenCount',
    'inputTokens',
    'outputTokens',
    'cacheReadInputTokens',
    'cacheWriteInputTokens',
  ),
  written,
);

const anyBlock = fc
  .tuple(anyUsage, fc.option(details), fc.option(modalities), fc.option(modalities), fc.option(anyUsage))
  .map(([usage, inside, prompt, answer, other]) => ({
    ...usage,
    ...(inside === null ? {} : { prompt_tokens_details: inside, input_tokens_details: inside }),
    ...(prompt === null ? {} : { promptTokensDetails: prompt, cacheTokensDetails: prompt }),
    ...(answer === null ? {} : { candidatesTokensDetails: answer }),
    ...(other === null
      ? {}
      : {
          billed_units: other,
          cache_creation: other,
          iterations: [
            { type: 'message', ...other },
            { type: 'advisor_message', model: 'm', ...other },
          ],
        }),
  }));

describe('usage in any form', () => {
  it.each(shapes)('of %s becomes whole counts of at least 0, whatever stands in it', (shape) => {
    fc.assert(
      fc.property(anyBlock, (raw) => {
        const { input, output, parts = [] } = usageInShape(shape, raw);
        for (const counts of [input, output, ...parts.map(({ tokens }) => tokens)]) {
          for (const kind of ratedKinds) {
            const count = counts?.[kind] ?? 0;
            expect(count >= 0 && Number.isInteger(count)).toBe(true);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('of Gemini adds up to what it reports', () => {
    const count = fc.nat({ max: 100_000 });
    fc.assert(
      fc.property(count, count, count, count, count, (text, audio, cached, answer, thoughts) => {
        const { input, output, faults } = usageInShape('gemini', {
          promptTokenCount: text + audio + cached,
          promptTokensDetails: [
            { modality: 'TEXT', tokenCount: text + cached },
            { modality: 'AUDIO', tokenCount: audio },
          ],
          cachedContentTokenCount: cached,
          cacheTokensDetails: [{ modality: 'TEXT', tokenCount: cached }],
          candidatesTokenCount: answer,
          thoughtsTokenCount: thoughts,
          totalTokenCount: text + audio + cached + answer + thoughts,
        });
        expect(faults).toEqual([]);
        expect(input).toEqual(
          Object.fromEntries(
            Object.entries({ cache_read: cached, audio_input: audio, uncached_input: text }).filter(
              ([, tokens]) => tokens > 0,
            ),
          ),
        );
        expect(countTokens({ ...output })).toBe(answer + thoughts);
      }),
    );
  });

  it('counts seconds of sound that have begun', () => {
    expect(unitsOfUsage({ prompt_audio_seconds: 12.5 })).toEqual({ audio_second: 13 });
    expect(unitsOfUsage({ prompt_audio_seconds: -0.5 })).toEqual({});
    expect(unitsOfUsage({ prompt_audio_seconds: 1e300 })).toEqual({});
  });

  it('never throws where it counts uses and charges', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), written, (record, value) => {
        const usage = { ...record, server_tool_use: { web_search_requests: value }, cost: value };
        for (const count of Object.values({ ...unitsOfUsage(usage), ...unitsOfBody(record) }))
          expect(Number.isSafeInteger(count) && count > 0).toBe(true);
        expect(chargedUsd(usage)?.isNegative() ?? false).toBe(false);
      }),
    );
  });
});

describe('the form of a usage block', () => {
  it.each<[Readonly<Record<string, unknown>>, UsageShape | undefined]>([
    [{ prompt_tokens: 1, completion_tokens: 1 }, 'openai'],
    [{ input_tokens: 1, output_tokens: 1, total_tokens: 2 }, 'openai'],
    [{ input_tokens: 1, output_tokens: 1, cache_read_input_tokens: 0 }, 'anthropic'],
    [{ promptTokenCount: 1 }, 'gemini'],
    [{ inputTokens: 1, outputTokens: 1 }, 'bedrock'],
    [{ billed_units: { input_tokens: 1 } }, 'cohere'],
    [{ input_tokens: 1, output_tokens: 1 }, undefined],
    [{ uncachedInput: 1 }, undefined],
  ])('%j is of %s', (raw, shape) => {
    expect(shapeOf(raw)).toBe(shape);
  });
});
