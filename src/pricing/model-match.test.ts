import { describe, expect, it } from 'vitest';
import { matchesRule, withDashedDate, withoutSnapshotDate } from './model-match.ts';

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
