import { embedMany, generateText, streamText } from 'ai';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ProviderConfig } from '../../src/engine/providers/provider-config.ts';
import { AnsweringProvider } from '../support/answering-provider.ts';
import { type ModelsHarness, openMeteredModels } from '../support/models-harness.ts';

/* What is booked when a provider reports usage that cannot be true. */

let models: ModelsHarness;
let answering: AnsweringProvider;

beforeAll(async () => {
  models = await openMeteredModels();
  answering = await AnsweringProvider.start();
});
beforeEach(() => models.clear());
afterEach(() => answering.cut());
afterAll(async () => {
  await answering.stop();
  await models.close();
});

/** JSON of two counts, as a provider writes them: text, so that numbers can be written in any way. */
type Counts = readonly [input: string, output: string];

interface Shape {
  readonly config: Pick<ProviderConfig, 'kind'> & { readonly api?: 'chat' };
  readonly model: string;
  readonly whole: (counts: Counts) => string;
  readonly streamed: (counts: Counts) => readonly string[];
}

const chat: Omit<Shape, 'config'> = {
  model: 'p/gpt-4o-mini',
  whole: ([input, output]) =>
    `{"id":"c","created":1,"model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"Hi there."},"finish_reason":"stop"}],"usage":{"prompt_tokens":${input},"completion_tokens":${output}}}`,
  streamed: ([input, output]) => [
    '{"id":"c","created":1,"model":"gpt-4o-mini","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi there."},"finish_reason":null}]}',
    '{"id":"c","created":1,"model":"gpt-4o-mini","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
    `{"id":"c","created":1,"model":"gpt-4o-mini","choices":[],"usage":{"prompt_tokens":${input},"completion_tokens":${output}}}`,
    '[DONE]',
  ],
};
const shapes: Readonly<Record<string, Shape>> = {
  chat: { ...chat, config: { kind: 'openai', api: 'chat' } },
  compatible: { ...chat, config: { kind: 'openai-compatible' } },
  responses: {
    config: { kind: 'openai' },
    model: 'p/gpt-4o-mini',
    whole: ([input, output]) =>
      `{"id":"r","created_at":1,"model":"gpt-4o-mini","output":[{"type":"message","id":"m","role":"assistant","content":[{"type":"output_text","text":"Hi there.","annotations":[]}]}],"usage":{"input_tokens":${input},"output_tokens":${output}}}`,
    streamed: ([input, output]) => [
      '{"type":"response.created","response":{"id":"r","created_at":1,"model":"gpt-4o-mini"}}',
      '{"type":"response.output_item.added","output_index":0,"item":{"type":"message","id":"m"}}',
      '{"type":"response.output_text.delta","item_id":"m","delta":"Hi there."}',
      '{"type":"response.output_item.done","output_index":0,"item":{"type":"message","id":"m"}}',
      `{"type":"response.completed","response":{"usage":{"input_tokens":${input},"output_tokens":${output}}}}`,
    ],
  },
  anthropic: {
    config: { kind: 'anthropic' },
    model: 'p/claude-haiku-4-5',
    whole: ([input, output]) =>
      `{"type":"message","id":"a","role":"assistant","model":"claude-haiku-4-5","content":[{"type":"text","text":"Hi there."}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":${input},"output_tokens":${output}}}`,
    streamed: ([input, output]) => [
      `{"type":"message_start","message":{"type":"message","id":"a","role":"assistant","model":"claude-haiku-4-5","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":${input},"output_tokens":0}}}`,
      '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
      '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi there."}}',
      '{"type":"content_block_stop","index":0}',
      `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":${output}}}`,
      '{"type":"message_stop"}',
    ],
  },
};

/** Asks, and gives what was booked. */
async function booked(
  shape: Shape,
  how: 'whole' | 'streamed',
  counts: Counts,
  edit: (text: string) => string = (text) => text,
) {
  answering.answer = (_request, response) => {
    if (how === 'whole') {
      response.writeHead(200, { 'content-type': 'application/json' }).end(edit(shape.whole(counts)));
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(
      shape
        .streamed(counts)
        .map((data) => `data: ${edit(data)}\n\n`)
        .join(''),
    );
  };
  const priceProvider = shape.config.kind === 'anthropic' ? 'anthropic' : 'openai';
  const config = { ...shape.config, priceProvider, baseUrl: answering.url, apiKey: 'k' } as ProviderConfig;
  const metered = models.metered({ p: config });
  const scope = models.openScope(metered, await models.leasedMessage());
  const model = scope.languageModel(shape.model, { step: 's' });
  const request = { model, prompt: 'Say hi.', maxRetries: 0, maxOutputTokens: 200 };
  try {
    const text = how === 'whole' ? (await generateText(request)).text : await streamText(request).text;
    expect(text).toBe('Hi there.');
  } finally {
    await scope.close();
  }
  const [row] = await models.callRows();
  const [line] = await models.usageLines();
  const tokens = JSON.parse(String(row?.['tokens'])) as Record<string, number>;
  const { uncached_input: input = 0, text_output: output = 0 } = tokens;
  return {
    settlement: row?.['settlement'],
    isSuspect: row?.['is_suspect'],
    suspectCalls: (line as { suspect_calls?: number } | undefined)?.suspect_calls ?? 0,
    input,
    output,
  };
}

const all = Object.keys(shapes).flatMap((name) => [[name, 'whole'] as const, [name, 'streamed'] as const]);

describe.each(all)('%s, %s: reported usage', (name, how) => {
  const shape = shapes[name] as Shape;

  it.each([
    ['above 2^53', '9007199254740993'],
    ['of 1e308', '1e308'],
    ['of five millions', '5000000'],
  ])('%s in both halves is not believed: both are counted, and the call is suspect', async (_what, count) => {
    const { input, output, ...rest } = await booked(shape, how, [count, count]);
    expect(rest).toEqual({ settlement: 'estimated', isSuspect: true, suspectCalls: 1 });
    expect(input).toBeGreaterThan(0);
    expect(input).toBeLessThan(100);
    expect(output).toBeGreaterThan(0);
    expect(output).toBeLessThan(100);
  });

  it('beyond the asked length of the answer is not believed; the other half is kept', async () => {
    expect(await booked(shape, how, ['11', '5000000'])).toMatchObject({ isSuspect: true, input: 11 });
  });

  it('of nothing at all for an answer is as if missing', async () => {
    const { input, output, ...rest } = await booked(shape, how, ['0', '0']);
    expect(rest).toEqual({ settlement: 'estimated', isSuspect: false, suspectCalls: 0 });
    expect([input > 0, output > 0]).toEqual([true, true]);
  });

  it.each([
    ['not there at all', (text: string) => text.replaceAll(/,?"usage":\{[^}]*\}/g, '')],
    ['null', (text: string) => text.replaceAll(/"usage":\{[^}]*\}/g, '"usage":null')],
  ])('%s is missing: the answer is given, and counted', async (_what, edit) => {
    const { input, output, ...rest } = await booked(shape, how, ['11', '7'], edit);
    expect(rest).toEqual({ settlement: 'estimated', isSuspect: false, suspectCalls: 0 });
    expect([input > 0, output > 0]).toEqual([true, true]);
  });

  it('with something nested twenty thousand deep holds nobody up: the call ends, within its bound', async () => {
    const deep = `"x":${'['.repeat(20_000)}${']'.repeat(20_000)},`;
    const edit = (text: string) => text.replaceAll('"usage":{', `"usage":{${deep}`);
    await booked(shape, how, ['11', '7'], edit).catch(() => undefined);
    const [row] = await models.callRows();
    expect(row?.['state']).not.toBe('reserved');
  });

  it('as text, or with a fraction of zero, is read', async () => {
    expect(await booked(shape, how, ['"120"', '7.0'])).toMatchObject({
      settlement: 'reported',
      input: 120,
      output: 7,
    });
  });

  it('below zero is missing for that half', async () => {
    const { input, output, settlement } = await booked(shape, how, ['-4', '7']);
    expect([settlement, output]).toEqual(['estimated', 7]);
    expect(input).toBeGreaterThan(0);
  });
});

describe('the name of a dearer model', () => {
  it.each(all)('%s, %s: is not believed when the request cannot cost so much', async (name, how) => {
    const shape = shapes[name] as Shape;
    const dear = name === 'anthropic' ? 'claude-opus-4' : 'o1-pro';
    const edit = (text: string) => text.replaceAll(/"model":"[^"]*"/g, `"model":"${dear}"`);
    // Beyond the bound only at the dearer price: all that was asked for.
    const { settlement, isSuspect } = await booked(shape, how, ['40', '200'], edit);
    expect([settlement, isSuspect]).toEqual(['estimated', true]);
    const [row] = await models.callRows();
    expect(Number(row?.['cost_usd'])).toBeLessThanOrEqual(Number(row?.['upper_bound_usd']));
    expect(Number(row?.['cost_usd'])).toBeGreaterThan(0);
  });

  it('is believed as long as the request can cost so much', async () => {
    const edit = (text: string) => text.replaceAll(/"model":"[^"]*"/g, '"model":"gpt-4o-mini-2024-07-18"');
    expect(await booked(shapes['chat'] as Shape, 'whole', ['40', '200'], edit)).toMatchObject({
      settlement: 'reported',
      isSuspect: false,
    });
  });
});

describe.each(['whole', 'streamed'] as const)('%s: searches that nobody asked for', (how) => {
  it('are not booked, and the call is suspect', async () => {
    const searched = (text: string) =>
      text.replace(/("output_tokens":200)/, '$1,"server_tool_use":{"web_search_requests":1000}');
    const { input, output, ...rest } = await booked(
      shapes['anthropic'] as Shape,
      how,
      ['11', '200'],
      searched,
    );
    expect([input, output]).toEqual([11, 200]);
    expect(rest).toEqual({ settlement: 'estimated', isSuspect: true, suspectCalls: 1 });
    const [line] = await models.usageLines();
    expect(line).not.toHaveProperty('units');
    expect(Number((line as { cost_usd: string }).cost_usd)).toBeLessThan(0.01);
  });
});

describe('the usage of embeddings', () => {
  it.each([
    ['9007199254740993', true, 'estimated'],
    ['0', false, 'estimated'],
    ['-3', false, 'estimated'],
    ['"6"', false, 'reported'],
  ])('of %s tokens', async (count, isSuspect, settlement) => {
    answering.answer = (_request, response) =>
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(
          `{"object":"list","model":"text-embedding-3-small","data":[{"index":0,"embedding":[0.1,0.2]}],"usage":{"prompt_tokens":${count},"total_tokens":${count}}}`,
        );
    const metered = models.metered({ p: { kind: 'openai', baseUrl: answering.url, apiKey: 'k' } });
    const scope = models.openScope(metered, await models.leasedMessage());
    await embedMany({
      model: scope.embeddingModel('p/text-embedding-3-small', { step: 's' }),
      values: ['one two'],
      maxRetries: 0,
    });
    await scope.close();
    const [row] = await models.callRows();
    expect(row).toMatchObject({ is_suspect: isSuspect, settlement });
    const tokens = JSON.parse(String(row?.['tokens'])) as { readonly uncached_input: number };
    expect(tokens.uncached_input).toBeGreaterThan(0);
    expect(tokens.uncached_input).toBeLessThan(20);
  });
});
