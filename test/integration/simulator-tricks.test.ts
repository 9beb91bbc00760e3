import { afterEach, describe, expect, it } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { type TrickName, trickNames } from '../../src/simulator/trick-names.ts';

/* What a hostile provider sends, looked at without a client that would protect itself. */

let simulator: Simulator | undefined;
afterEach(() => simulator?.close());

const key = 'sk-test/with+signs=0123456789';

async function start(tricks: readonly TrickName[], seed = 7): Promise<Simulator> {
  simulator = await startSimulator({
    seed,
    latency: { medianMs: 0, p99Ms: 0 },
    hostile: { share: 1, tricks: [...tricks], floodBytes: 500_000 },
  });
  return simulator;
}

const paths = {
  chat: '/openai/v1/chat/completions',
  responses: '/openai/v1/responses',
  anthropic: '/anthropic/v1/messages',
} as const;

async function ask(
  { url }: Simulator,
  api: keyof typeof paths,
  options: { readonly stream?: boolean; readonly prompt?: string } = {},
): Promise<Response> {
  const { stream = false, prompt = 'What is a mill?' } = options;
  const messages = [{ role: 'user', content: prompt }];
  const body =
    api === 'responses'
      ? { model: 'gpt-5-mini', input: prompt, stream }
      : api === 'chat'
        ? {
            model: 'gpt-5-mini',
            messages,
            stream,
            ...(stream && { stream_options: { include_usage: true } }),
          }
        : { model: 'claude-haiku-4-5', messages, max_tokens: 200, stream };
  return await fetch(`${url}${paths[api]}`, {
    method: 'POST',
    redirect: 'manual',
    headers: { 'x-api-key': key, 'anthropic-version': '2023-06-01', authorization: `Bearer ${key}` },
    body: JSON.stringify(body),
  });
}

const apis = ['chat', 'responses', 'anthropic'] as const;

describe('a hostile provider', () => {
  it('plays the same tricks for the same seed, request and attempt', async () => {
    const seen = async (): Promise<unknown> => {
      const names = trickNames.filter((name) => !/drip|stall|bomb|flood|truncated/.test(name));
      const running = await start(names);
      for (let n = 0; n < 12; n += 1) await (await ask(running, 'chat', { prompt: `No ${n}` })).arrayBuffer();
      const { byTrick } = running.stats();
      await running.close();
      return byTrick;
    };
    const first = await seen();
    expect(Object.keys(first as object).length).toBeGreaterThan(3);
    expect(await seen()).toEqual(first);
  });

  it.each(apis)('redirects %s to another host, unbilled', async (api) => {
    const running = await start(['redirect']);
    const response = await ask(running, api);
    expect([301, 302, 307, 308]).toContain(response.status);
    const location = response.headers.get('location') ?? '';
    expect(new URL(location).origin).not.toBe(running.url);
    expect((await running.bill()).requests).toBe(0);
    expect(running.decoyReceived()).toEqual([]);
    await fetch(location, { method: 'POST', headers: { authorization: 'stolen' }, body: 'prompt' });
    expect(running.decoyReceived()).toMatchObject([
      { method: 'POST', headers: { authorization: 'stolen' }, bodyBytes: 6 },
    ]);
  });

  it.each(apis)('lies about the usage of %s, whole and streamed, and bills the truth', async (api) => {
    const lies = {
      usage_zero: /_tokens":0\b/,
      usage_negative: /_tokens":-\d/,
      usage_text: /_tokens":"\d+"/,
      usage_float: /_tokens":\d+\.0/,
      usage_absurd: /_tokens":(9007199254740993|1e308|5000000000)\b/,
    } as const;
    for (const [trick, expected] of Object.entries(lies)) {
      const running = await start([trick as TrickName]);
      for (const stream of [false, true]) {
        const text = await (await ask(running, api, { stream })).text();
        expect(text, trick).toMatch(expected);
      }
      const { requests, totalUsd } = await running.bill();
      expect([requests, Number(totalUsd) > 0]).toEqual([2, true]);
      await running.close();
    }
  });

  it.each(apis)('makes the count of a stream of %s fall', async (api) => {
    const text = await (await ask(await start(['usage_falling']), api, { stream: true })).text();
    const counts = [...text.matchAll(/"(?:completion|output)_tokens":(\d+)/g)].map(([, count]) =>
      Number(count),
    );
    expect(counts.at(-1)).toBe(Math.floor((counts.at(-2) ?? 0) / 2));
  });

  it.each(apis)('fails under status 200 in the words of %s', async (api) => {
    const running = await start(['error_as_answer', 'error_before_text']);
    for (const stream of [false, true]) {
      const response = await ask(running, api, { stream });
      expect(response.status).toBe(200);
      expect(await response.text()).toMatch(/"error":\{[^}]*"message":"[^"]+"/);
    }
  });

  it.each(apis)('echoes the key that %s was asked with', async (api) => {
    const running = await start(['echo_in_error', 'echo_in_answer']);
    const texts: string[] = [];
    for (let n = 0; n < 30; n += 1) texts.push(await (await ask(running, api, { prompt: `No ${n}` })).text());
    const forms = [
      key,
      Buffer.from(key).toString('base64'),
      Buffer.from(`user:${key}`).toString('base64'),
      encodeURIComponent(key),
      Buffer.from(key).toString('hex').replaceAll(/../g, '%$&'),
    ];
    for (const form of forms)
      expect(
        texts.some((text) => text.includes(form)),
        form,
      ).toBe(true);
  });

  it('floods until the client leaves, or up to its bound', async () => {
    const running = await start(['flood_body', 'flood_events', 'flood_line']);
    for (const [api, stream] of [
      ['chat', false],
      ['anthropic', true],
    ] as const) {
      const { body } = await ask(running, api, { stream });
      let bytes = 0;
      // It breaks the connection at its bound.
      await expect(
        (async () => {
          for await (const piece of body ?? []) bytes += piece.byteLength;
        })(),
      ).rejects.toThrow();
      expect(bytes).toBeGreaterThan(400_000);
    }
  });
});
