import { describe, expect, it } from 'vitest';
import { StreamUsage, usageOf } from './usage-of-answer.ts';

/** What is known after some chunks with these usage blocks. */
function after(...blocks: readonly unknown[]) {
  const usage = new StreamUsage();
  for (const block of blocks) usage.read({ choices: [], usage: block });
  return usage;
}

describe('the usage of a stream', () => {
  it('is cumulative: a later null or 0 says nothing', () => {
    const known = { prompt_tokens: 90, completion_tokens: 40, prompt_tokens_details: { cached_tokens: 30 } };
    for (const later of [
      { prompt_tokens: 0, completion_tokens: 0, prompt_tokens_details: null },
      { prompt_tokens: null, completion_tokens: null, prompt_tokens_details: { cached_tokens: 0 } },
      {},
      null,
    ]) {
      const usage = after(known, later);
      expect(usage.raw.usage).toEqual(known);
      expect(usage.faults).toEqual([]);
      expect(usageOf({ kind: 'openai' }, usage.raw.usage, undefined)).toMatchObject({
        input: { cache_read: 30, uncached_input: 60 },
        output: { text_output: 40 },
      });
    }
  });

  it('grows from chunk to chunk, also within its details and as text', () => {
    const usage = after(
      { prompt_tokens: 9, completion_tokens: 1, completion_tokens_details: { reasoning_tokens: 1 } },
      { prompt_tokens: 9, completion_tokens: '12', completion_tokens_details: { reasoning_tokens: 4 } },
    );
    expect(usage.raw.usage).toEqual({
      prompt_tokens: 9,
      completion_tokens: '12',
      completion_tokens_details: { reasoning_tokens: 4 },
    });
    expect(usage.faults).toEqual([]);
  });

  it('that falls keeps the larger number, with a fault', () => {
    const usage = after({ prompt_tokens: 9, completion_tokens: 40 }, { completion_tokens: 12 });
    expect(usage.raw.usage).toEqual({ prompt_tokens: 9, completion_tokens: 40 });
    expect(usage.faults).toEqual(['completion_tokens fell from 40 to 12 within the stream']);
  });
});

describe('the last event of a stream', () => {
  it.each([
    [
      'Bedrock',
      { metadata: { serviceTier: { type: 'flex' }, usage: { inputTokens: 3, outputTokens: 4 } } },
      { usage: { inputTokens: 3, outputTokens: 4 }, tier: 'flex' },
    ],
    [
      'Cohere',
      {
        type: 'message-end',
        delta: { finish_reason: 'COMPLETE', usage: { billed_units: { input_tokens: 3 } } },
      },
      { usage: { billed_units: { input_tokens: 3 } } },
    ],
    [
      'Groq',
      { model: 'm', choices: [{ finish_reason: 'stop' }], x_groq: { usage: { prompt_tokens: 3 } } },
      { usage: { prompt_tokens: 3 }, model: 'm' },
    ],
    [
      'Gemini',
      {
        candidates: [{ finishReason: 'STOP' }],
        usageMetadata: { promptTokenCount: 3, trafficType: 'ON_DEMAND_FLEX' },
        modelVersion: 'gemini-2.5-flash-001',
      },
      { usage: { promptTokenCount: 3 }, tier: 'ON_DEMAND_FLEX', model: 'gemini-2.5-flash-001' },
    ],
  ])('of %s says the usage of the whole answer', (_, event, wanted) => {
    const usage = new StreamUsage();
    usage.read(event);
    expect(usage.raw).toMatchObject(wanted);
    expect(usage.isFinal).toBe(true);
  });

  it('is none while parts of an answer still come, whatever stands beside them', () => {
    const usage = new StreamUsage();
    usage.read({ metadata: { region: 'eu' }, choices: [{ delta: {} }], usage: { prompt_tokens: 3 } });
    usage.read({ candidates: [{}], usageMetadata: { promptTokenCount: 3 } });
    expect(usage.isFinal).toBe(false);
  });
});
