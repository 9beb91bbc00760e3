import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitRequests } from './split-requests.ts';

const now = new Date('2026-03-02T10:00:00Z');
const endpoints = ['/v1/responses', '/v1/chat/completions'] as const;

const anyRequests = fc
  .array(
    fc.record({
      endpoint: fc.constantFrom(...endpoints),
      model: fc.constantFrom('gpt-5', 'gpt-5-mini'),
      text: fc.string({ maxLength: 60 }),
      estimatedTokens: fc.nat({ max: 120 }),
    }),
    { maxLength: 60 },
  )
  .map((all) =>
    all.map(({ endpoint, model, text, estimatedTokens }, index) => {
      const body = JSON.stringify({ model, input: text });
      return { id: `r-${index}`, endpoint, model, body, estimatedTokens };
    }),
  );

const anyLimits = fc.record({
  maxRequests: fc.integer({ min: 1, max: 10 }),
  maxBytes: fc.integer({ min: 200, max: 2000 }),
  enqueuedTokens: fc.record({ 'gpt-5': fc.integer({ min: 1, max: 300 }) }),
});

describe('requests are divided', () => {
  it('so that each is in one batch, and no batch of more than one exceeds a limit', () => {
    fc.assert(
      fc.property(anyRequests, anyLimits, (requests, limits) => {
        const batches = splitRequests('openai', requests, limits, now);
        const ids = batches.flatMap((batch) => batch.requests.map(({ id }) => id));
        expect(ids.toSorted()).toEqual(requests.map(({ id }) => id).toSorted());
        expect(new Set(batches.map(({ id }) => id)).size).toBe(batches.length);
        const modelOf = new Map(requests.map(({ id, model }) => [id, model]));
        for (const { requests: own, endpoint, model, bytes, estimatedTokens } of batches) {
          expect(own.every((each) => each.endpoint === endpoint && modelOf.get(each.id) === model)).toBe(
            true,
          );
          expect(own.length).toBeLessThanOrEqual(limits.maxRequests);
          expect(estimatedTokens).toBe(own.reduce((sum, each) => sum + each.estimatedTokens, 0));
          if (own.length === 1) continue;
          expect(bytes).toBeLessThanOrEqual(limits.maxBytes);
          if (model === 'gpt-5') expect(estimatedTokens).toBeLessThanOrEqual(limits.enqueuedTokens['gpt-5']);
        }
      }),
    );
  });

  it('into the same batches when they are the same, and into others when one of them is another', () => {
    const request = (text: string) => ({
      id: 'r',
      endpoint: endpoints[0],
      body: JSON.stringify({ model: 'gpt-5', input: text }),
      estimatedTokens: 1,
    });
    const limits = { maxRequests: 5, maxBytes: 10_000, enqueuedTokens: {} };
    const idOf = (account: string, text: string) =>
      splitRequests(account, [request(text)], limits, now)[0]?.id;
    expect(idOf('openai', 'a')).toBe(idOf('openai', 'a'));
    expect(new Set([idOf('openai', 'a'), idOf('openai', 'b'), idOf('openai-eu', 'a')]).size).toBe(3);
  });

  it('only when they can be sent in a batch', () => {
    const limits = { maxRequests: 5, maxBytes: 10_000, enqueuedTokens: {} };
    const split = (body: string) => () =>
      splitRequests('openai', [{ id: 'r', endpoint: endpoints[0], body, estimatedTokens: 1 }], limits, now);
    expect(split('{"model":"gpt-5","stream":true}')).toThrow('stream');
    expect(split('[]')).toThrow('model');
  });
});
