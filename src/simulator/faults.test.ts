import { describe, expect, it } from 'vitest';
import { Draws } from './draws.ts';
import { type FaultQuestion, FaultRules, isFreeOfCharge } from './faults.ts';
import { openaiChat } from './openai-chat.ts';
import { faultNames, faultRulesSchema, parseSimulatorConfig } from './simulator-config.ts';

function rulesOf(input: unknown): FaultRules {
  return new FaultRules(faultRulesSchema.parse(input));
}

function question(key: string, attempt = '1', more: object = {}): FaultQuestion {
  const body = { model: 'gpt-5-mini', messages: [{ role: 'user', content: `about ${key}` }], ...more };
  const parsed = openaiChat.parse(body, 4);
  if (parsed.kind === 'refused') throw new Error(parsed.refusal.message);
  return {
    endpoint: openaiChat,
    request: parsed.request,
    headers: { 'x-team': 'red' },
    draws: new Draws(1, key),
    attempt,
  };
}

describe('fault rules', () => {
  it('strike as often as they say', () => {
    const rules = rulesOf([{ fault: 'rate_limit', probability: 0.05 }]);
    for (let key = 0; key < 10_000; key += 1) rules.strike(question(String(key)));
    const struck = rules.list()[0]?.struck ?? 0;
    expect(struck).toBeGreaterThan(430);
    expect(struck).toBeLessThan(570);
  });

  it('strike the same requests again in another order, and draw anew for a retry', () => {
    const keys = Array.from({ length: 200 }, (_, index) => String(index));
    const struckBy = (order: readonly string[], attempt: string): string[] => {
      const rules = rulesOf([{ fault: 'server_error', probability: 0.3 }]);
      return order.filter((key) => rules.strike(question(key, attempt)) !== undefined).toSorted();
    };
    const first = struckBy(keys, '1');
    expect(first.length).toBeGreaterThan(20);
    expect(struckBy(keys.toReversed(), '1')).toEqual(first);
    expect(struckBy(keys, '2')).not.toEqual(first);
  });

  it('are asked in order, and stop at their cap', () => {
    const rules = rulesOf([{ fault: 'rate_limit', times: 2 }, { fault: 'overloaded' }]);
    const faults = ['a', 'b', 'c'].map((key) => rules.strike(question(key))?.fault);
    expect(faults).toEqual(['rate_limit', 'rate_limit', 'overloaded']);
    rules.replace([]);
    expect(rules.strike(question('a'))).toBeUndefined();
  });

  it.each([
    [{ model: 'gpt-5-mini' }, true],
    [{ model: 'gpt-5' }, false],
    [{ provider: 'openai', endpoint: 'chat.completions' }, true],
    [{ provider: 'anthropic' }, false],
    [{ endpoint: 'responses' }, false],
    [{ contains: 'about ra' }, true],
    [{ contains: 'nowhere' }, false],
    [{ header: { name: 'X-Team' } }, true],
    [{ header: { name: 'x-team', value: 'blue' } }, false],
    [{ header: { name: 'x-other' } }, false],
  ])('match by %j', (match, isStruck) => {
    const rules = rulesOf([{ fault: 'hang', match }]);
    expect(rules.strike(question('rain')) !== undefined).toBe(isStruck);
  });

  it('do not draw a fault that could not show', () => {
    const rules = rulesOf([{ fault: 'bad_json' }]);
    expect(rules.strike(question('plain'))).toBeUndefined();
    expect(rules.strike(question('json', '1', { response_format: { type: 'json_object' } }))?.fault).toBe(
      'bad_json',
    );
  });

  it('know which faults cost nothing', () => {
    expect(faultNames.filter(isFreeOfCharge)).toEqual([
      'rate_limit',
      'server_error',
      'overloaded',
      'auth',
      'content_policy',
      'context_too_long',
      'hang',
    ]);
  });
});

describe('the configuration', () => {
  it('names every fault of a wrong one at once', () => {
    const wrong = { port: -1, latency: { medianMs: 'fast' }, rules: [{ fault: 'fire' }], unheard: 1 };
    expect(() => parseSimulatorConfig(wrong)).toThrow(
      expect.objectContaining({
        code: 'MILLRACE_CONFIG_INVALID',
        faults: [
          expect.objectContaining({ field: 'port' }),
          expect.objectContaining({ field: 'latency.medianMs' }),
          expect.objectContaining({ field: 'rules.0.fault' }),
          expect.objectContaining({ field: '' }),
        ],
      }),
    );
  });
});
