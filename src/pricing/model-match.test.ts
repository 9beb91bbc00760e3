import { describe, expect, it } from 'vitest';
import { fineTunedBase, isNameOf, matchesRule, withDashedDate, withoutSnapshotDate } from './model-match.ts';

describe('a match rule', () => {
  it.each([
    [{ equals: 'GPT-5' }, 'gpt-5', true],
    [{ equals: 'gpt-5' }, 'gpt-5-mini', false],
    [{ starts_with: 'gpt-5' }, 'gpt-5-mini', true],
    [{ starts_with: 'gpt-5' }, 'my-gpt-5', false],
    [{ ends_with: ':free' }, 'x:free', true],
    [{ ends_with: ':free' }, ':free-x', false],
    [{ contains: 'claude' }, 'eu.claude-3', true],
    [{ regex: '^o[134]$' }, 'o3', true],
    [{ regex: '^o[134]$' }, 'o2', false],
    [{ or: [{ equals: 'a' }, { equals: 'b' }] }, 'b', true],
    [{ or: [{ equals: 'a' }, { equals: 'b' }] }, 'c', false],
    [{ and: [{ starts_with: 'a' }, { ends_with: 'z' }] }, 'abz', true],
    [{ and: [{ starts_with: 'a' }, { ends_with: 'z' }] }, 'ab', false],
    [{ and: [{ contains: 'a' }, { or: [{ equals: 'ba' }, { equals: 'ca' }] }] }, 'ca', true],
  ])('%j on %s is %s', (rule, model, matches) => {
    expect(matchesRule(rule, model)).toBe(matches);
  });
});

describe('snapshot dates', () => {
  it.each([
    ['gpt-5-20250807', 'gpt-5-2025-08-07'],
    ['gpt-5-2025-08-07', 'gpt-5-2025-08-07'],
    ['gpt-5-20251399', 'gpt-5-20251399'],
    ['x-20250807:free', 'x-2025-08-07:free'],
  ])('%s is written out as %s', (model, dashed) => {
    expect(withDashedDate(model)).toBe(dashed);
  });

  it.each([
    ['gpt-5-2025-08-07', 'gpt-5'],
    ['claude-opus-4-20250514', 'claude-opus-4'],
    ['claude-haiku-4-5@20251001', 'claude-haiku-4-5'],
    ['gpt-4-0613', 'gpt-4-0613'],
    ['gpt-5', 'gpt-5'],
  ])('%s without its date is %s', (model, undated) => {
    expect(withoutSnapshotDate(model)).toBe(undated);
  });
});

describe('a name', () => {
  const sonnet = {
    id: 'claude-sonnet-5',
    match: { or: [{ starts_with: 'claude-sonnet-5' }, { contains: 'sonnet-v5' }] },
  };

  it.each([
    ['claude-sonnet-5', true],
    ['claude-sonnet-5-20260630', true],
    ['claude-sonnet-5@20260630', true],
    ['claude-sonnet-5-latest', true],
    ['us.anthropic.sonnet-v5-20260630-v1:0', true],
    ['claude-sonnet-5-5', false],
    ['claude-sonnet-5-5-20260630', false],
    ['claude-sonnet-5-mini', false],
    ['claude-sonnet-55', false],
    ['my-sonnet-v5', false],
  ])('of %s means the model that a wide rule fits: %s', (name, means) => {
    expect(isNameOf(sonnet, name)).toBe(means);
  });

  it.each([
    ['ft:gpt-4.1-2025-04-14:acme:tickets:abc', 'ft:gpt-4.1-2025-04-14'],
    ['gpt-4o-mini-2024-07-18.ft-0123', 'ft:gpt-4o-mini-2024-07-18'],
    ['gpt-4.1', undefined],
  ])('of the fine-tuned %s has the base %s', (name, base) => {
    expect(fineTunedBase(name)).toBe(base);
  });
});
