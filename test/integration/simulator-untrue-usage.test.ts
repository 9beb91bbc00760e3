import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FaultName } from '../../src/simulator/simulator-config.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';

/* What is sent when the simulator is told not to tell the truth about usage, and that its bill does. */

let simulator: Simulator;
beforeEach(async () => {
  simulator = await startSimulator({ seed: 7, latency: { medianMs: 0 } });
});
afterEach(() => simulator.close());

const headers = { authorization: 'Bearer k', 'x-api-key': 'k', 'anthropic-version': '2023-06-01' };
const messages = [{ role: 'user', content: 'Say what there is to say of mills and of their weirs.' }];
const paths = {
  'openai/v1/chat/completions': { model: 'gpt-5-mini', messages, stream_options: { include_usage: true } },
  'openai/v1/responses': { model: 'gpt-5-mini', input: messages },
  'anthropic/v1/messages': { model: 'claude-haiku-4-5', max_tokens: 200, messages },
} as const;

async function sent(path: string, body: object): Promise<string> {
  const response = await fetch(`${simulator.url}/${path}`, {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(200);
  return await response.text();
}

const strike = (fault: FaultName): void => simulator.setRules([{ fault }]);

const inputCount = (form: string): RegExp => new RegExp(`"(?:input|prompt)_tokens":${form}[,}]`);

describe.each(Object.entries(paths))('%s', (path, body) => {
  it.each([
    ['usage_text', '"[1-9]\\d*"', true],
    ['usage_fraction', '[1-9]\\d*\\.0', true],
    ['usage_absurd', '(?:9007199254740993|1e308|5000000)', false],
    ['usage_zero', '0', false],
    ['usage_negative', '-[1-9]\\d*', false],
  ] as const)('tells %s, beside a true bill', async (fault, form, isReported) => {
    strike(fault);
    for (const stream of [false, true])
      expect(await sent(path, { ...body, stream })).toMatch(inputCount(form));
    const { entries = [], totalUsd } = await simulator.bill({ entries: true });
    expect(entries.map((entry) => [entry.fault, entry.usageReported])).toEqual([
      [fault, isReported],
      [fault, isReported],
    ]);
    expect(Number(totalUsd)).toBeGreaterThan(0);
  });

  it('tells usage that falls within a stream, and the truth in a whole answer', async () => {
    strike('usage_decreasing');
    const outputs = (text: string): number[] =>
      [...text.matchAll(/"(?:output|completion)_tokens":(\d+)/g)].map(([, count]) => Number(count));
    const [truth = 0, ...others] = outputs(await sent(path, { ...body, stream: false }));
    expect(others).toEqual([]);
    const [first = 0, ...later] = outputs(await sent(path, { ...body, stream: true }));
    expect(later).toEqual([Math.ceil(first / 2)]);
    const { entries = [] } = await simulator.bill({ entries: true });
    expect(entries.map(({ fault, tokens }) => [fault, tokens.text_output + tokens.reasoning])).toEqual([
      [null, truth],
      ['usage_decreasing', first],
    ]);
  });
});

it('tells untrue usage of embeddings', async () => {
  strike('usage_absurd');
  const text = await sent('openai/v1/embeddings', { model: 'text-embedding-3-small', input: ['a', 'b'] });
  expect(text).toMatch(inputCount('(?:9007199254740993|1e308|5000000)'));
});
