import type { JSONObject, LanguageModelV4 } from '@ai-sdk/provider';
import { generateText } from 'ai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ScriptedModel } from '../../src/testing/scripted-model.ts';
import { type ModelsHarness, openMeteredModels } from '../support/models-harness.ts';

/* Raw usage of providers in code, from the answer's body to the ledger and the usage record. */

let models: ModelsHarness;

beforeAll(async () => {
  models = await openMeteredModels();
});
beforeEach(() => models.clear());
afterAll(() => models.close());

/** A model whose answers have this body, or that hands on the provider's usage block alone (`raw`). */
function answering(modelId: string, body: Readonly<Record<string, unknown>>): LanguageModelV4 {
  const scripted = new ScriptedModel(['Good morning.'], modelId);
  return {
    specificationVersion: 'v4',
    provider: 'own',
    modelId,
    supportedUrls: {},
    doGenerate: async (options) => {
      const result = await scripted.doGenerate(options);
      const { raw } = body;
      return raw === undefined
        ? { ...result, response: { ...result.response, body } }
        : { ...result, usage: { ...result.usage, raw: raw as JSONObject } };
    },
    doStream: (options) => scripted.doStream(options),
  };
}

/** The call's row and usage record after one question. */
async function ask(priceProvider: string, modelId: string, body: Readonly<Record<string, unknown>>) {
  const metered = models.metered({
    own: { kind: 'custom', model: () => answering(modelId, body), priceProvider },
  });
  const scope = models.openScope(metered, await models.leasedMessage());
  try {
    await generateText({ model: scope.languageModel(`own/${modelId}`, { step: 'greet' }), prompt: 'Hello' });
  } finally {
    await scope.close();
  }
  const [row] = await models.callRows();
  const [line] = await models.usageLines();
  return { row, line, tokens: JSON.parse(row?.tokens ?? '{}') as unknown };
}

describe('the usage of a provider in code', () => {
  it('is read with its modalities', async () => {
    const { row, line, tokens } = await ask('google', 'gemini-2.5-flash-image', {
      usageMetadata: {
        promptTokenCount: 20,
        candidatesTokensDetails: [
          { modality: 'TEXT', tokenCount: 30 },
          { modality: 'IMAGE', tokenCount: 1290 },
        ],
      },
    });
    expect(row).toMatchObject({ settlement: 'reported' });
    expect(tokens).toEqual({ uncached_input: 20, text_output: 30, image_output: 1290 });
    expect(line).toMatchObject({ cost_usd: '0.038781', cost_image_output: '0.0387' });
  });

  it('is read from the block that the SDK hands on, with its tier', async () => {
    const { row, line } = await ask('vertex', 'gemini-2.5-flash', {
      raw: {
        promptTokenCount: 1000,
        candidatesTokenCount: 100,
        totalTokenCount: 1100,
        trafficType: 'ON_DEMAND_PRIORITY',
      },
    });
    expect(row).toMatchObject({ settlement: 'reported', tier: 'priority' });
    // 1000 × 0.3 × 1.8 + 100 × 2.5 × 1.8 per million.
    expect(line).toMatchObject({ cost_usd: '0.00099' });
  });

  it('costs what an aggregator says it charged, with the list price beside it', async () => {
    const { line } = await ask('openrouter', 'openai/gpt-4o-mini', {
      usage: { prompt_tokens: 900, completion_tokens: 69, total_tokens: 969, cost: 0.0160614 },
    });
    expect(line).toMatchObject({
      settlement: 'reported',
      cost_usd: '0.0160614',
      list_cost_usd: '0.0001764',
      cost_request: '0.015885',
    });
  });

  it('is unpriced where it is charged more than any request without a known price may be, and says so', async () => {
    const { line } = await ask('openrouter', 'acme/unheard-of', {
      usage: { prompt_tokens: 900, completion_tokens: 69, total_tokens: 969, cost: 9e19 },
    });
    expect(line).toMatchObject({ unpriced_calls: 1, suspect_calls: 1 });
    expect(line).not.toHaveProperty('cost_usd');
    expect(JSON.stringify(models.logged)).toContain('a charge of 90000000000000000000 US dollars');
  });

  const usage = { input_tokens: 9509, cache_read_input_tokens: 0, output_tokens: 0, inference_geo: 'global' };

  it('has its searches in the cost', async () => {
    const { line } = await ask('anthropic', 'claude-sonnet-4-6', {
      usage: { ...usage, server_tool_use: { web_search_requests: 1 } },
    });
    expect(line).toMatchObject({
      settlement: 'reported',
      cost_usd: '0.038527',
      cost_units: '0.01',
      units: { web_search: 1 },
    });
  });

  it('is estimated, with its bound, where a use has no known price', async () => {
    const { row, line } = await ask('anthropic', 'claude-sonnet-4-6', {
      usage: { ...usage, server_tool_use: { code_execution_requests: 2 } },
    });
    expect(row?.upper_bound_usd).not.toBeNull();
    expect(line).toMatchObject({
      settlement: 'estimated',
      estimated_calls: 1,
      cost_usd: '0.028527',
      units: { code_execution: 2 },
    });
    expect(models.logged.map(({ message }) => message)).toContainEqual(
      expect.stringContaining('no price is known for what the provider did beside the answer'),
    );
  });

  it('is priced where it was served', async () => {
    const { line } = await ask('anthropic', 'claude-sonnet-4-6', {
      usage: { ...usage, input_tokens: 1000, output_tokens: 1000, inference_geo: 'us' },
    });
    expect(line).toMatchObject({ cost_usd: '0.0198' });
  });

  it('has the parts of other models at their own prices', async () => {
    const { line, tokens } = await ask('anthropic', 'claude-sonnet-5', {
      usage: {
        ...usage,
        input_tokens: 2200,
        output_tokens: 120,
        iterations: [
          { type: 'message', input_tokens: 1000, output_tokens: 100 },
          { type: 'advisor_message', model: 'claude-opus-4-8', input_tokens: 2000, output_tokens: 40 },
          { type: 'message', input_tokens: 1200, output_tokens: 20 },
        ],
      },
    });
    expect(line).toMatchObject({ settlement: 'reported', cost_usd: '0.0166' });
    expect(tokens).toEqual({ uncached_input: 4200, text_output: 160 });
  });
});
