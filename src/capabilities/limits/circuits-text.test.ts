import { describe, expect, it } from 'vitest';
import type { TroubledModel } from './model-health-store.ts';
import { circuitsText } from './circuits-text.ts';

const troubled: TroubledModel = {
  provider: 'openai',
  model: 'gpt-5-mini',
  state: 'open',
  opens: 1,
  reason: '12 failures and 8 time-outs of 20 requests',
  changedAt: new Date(0),
  remainingMs: 14_200,
};

describe('circuitsText', () => {
  it('says nothing when all circuits are closed', () => {
    expect(circuitsText([])).toBe('');
  });

  it('says why a circuit is open, how often it was in a row, and when it is tried again', () => {
    expect(circuitsText([troubled, { ...troubled, opens: 22, reason: 'a probe failed' }])).toBe(
      'Circuit of openai/gpt-5-mini: open (12 failures and 8 time-outs of 20 requests), tried again in 14 s\n' +
        'Circuit of openai/gpt-5-mini: open (a probe failed, for the 22nd time in a row), tried again in 14 s',
    );
  });

  it('says that a half-open one is being tried', () => {
    expect(circuitsText([{ ...troubled, state: 'half_open', opens: 11, reason: 'its time is over' }])).toBe(
      'Circuit of openai/gpt-5-mini: half open (its time is over, for the 11th time in a row), being tried',
    );
  });
});
