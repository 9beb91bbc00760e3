import { describe, expect, it } from 'vitest';
import { ExpectedTokens } from './expected-tokens.ts';

const request = {
  provider: 'openai',
  model: 'gpt-5-mini',
  stage: 'summarise',
  step: 'summary',
  maxInputTokens: 4000,
  maxOutputTokens: 128_000,
};

describe('ExpectedTokens', () => {
  it('takes a first request for an ordinary one, or for the most that it may answer', () => {
    const expected = new ExpectedTokens();
    expect(expected.expect(request, 100)).toBe(1124);
    expect(expected.expect({ ...request, maxOutputTokens: 50 }, 100)).toBe(150);
  });

  it('learns what such requests use, also where the input estimate is wrong every time', () => {
    const expected = new ExpectedTokens();
    for (let turn = 0; turn < 20; turn += 1) expected.learn(request, 100, 190);
    expect(expected.expect(request, 100)).toBe(190);
    expect(expected.expect(request, 300)).toBe(390);
    expect(expected.expect({ ...request, step: 'other' }, 100)).toBe(1124);
  });

  it('follows a change', () => {
    const expected = new ExpectedTokens();
    for (let turn = 0; turn < 200; turn += 1) expected.learn(request, 100, 200);
    for (let turn = 0; turn < 100; turn += 1) expected.learn(request, 100, 600);
    expect(expected.expect(request, 100)).toBeGreaterThan(590);
  });

  it('never expects more than is possible, nor nothing', () => {
    const expected = new ExpectedTokens();
    expected.learn(request, 100, 1);
    expect(expected.expect(request, 10)).toBe(1);
    expected.learn({ ...request, step: 's' }, 0, 10_000);
    expect(expected.expect({ ...request, step: 's', maxInputTokens: 100, maxOutputTokens: 50 }, 20)).toBe(
      150,
    );
  });
});
