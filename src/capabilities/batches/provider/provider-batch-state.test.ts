import { describe, expect, it } from 'vitest';
import {
  afterLook,
  backoffMs,
  mayMove,
  nextStep,
  pollAfterMs,
  providerBatchStates,
} from './provider-batch-state.ts';

const beganAt = new Date('2026-03-02T10:00:00Z');
const times = (afterMs: number) => ({
  beganAt,
  now: new Date(beganAt.getTime() + afterMs),
  quietMs: 900_000,
  pollMs: 60_000,
});
const facts = { hasFiles: true, isCancelRequested: false, isCancelSent: false };

describe('the states of a provider batch', () => {
  it('lead from each to the end, and from the end nowhere', () => {
    for (const state of providerBatchStates) {
      const reached = new Set([state]);
      for (const from of reached)
        for (const to of providerBatchStates) if (mayMove(from, to)) reached.add(to);
      expect(reached.has('closed'), state).toBe(true);
      if (state === 'closed') expect([...reached]).toEqual(['closed']);
    }
  });

  it('never have a step taken again whose end is not known', () => {
    expect(nextStep({ ...facts, state: 'uploading' })).toBe('look-for-upload');
    expect(nextStep({ ...facts, state: 'creating' })).toBe('look-for-batch');
    expect(nextStep({ ...facts, state: 'creating', isCancelRequested: true })).toBe('look-for-batch');
    expect(nextStep({ ...facts, state: 'unresolved' })).toBe('none');
    expect(mayMove('running', 'planned')).toBe(false);
    expect(mayMove('running', 'creating')).toBe(false);
  });

  it('have a cancellation sent once, and what was not sent not sent', () => {
    const cancelled = { ...facts, isCancelRequested: true };
    expect(nextStep({ ...cancelled, state: 'planned' })).toBe('end-unsent');
    expect(nextStep({ ...cancelled, state: 'uploaded' })).toBe('end-unsent');
    expect(nextStep({ ...cancelled, state: 'running' })).toBe('cancel');
    expect(nextStep({ ...cancelled, state: 'running', isCancelSent: true })).toBe('poll');
  });
});

describe('a look', () => {
  it('takes over what it finds, at any time', () => {
    expect(afterLook({ kind: 'found', providerId: 'b' }, times(0))).toEqual({
      kind: 'take-over',
      providerId: 'b',
    });
  });

  it('that finds nothing is repeated until no request can be under way; then nothing was created', () => {
    const at = new Date(beganAt.getTime() + 900_000);
    expect(afterLook({ kind: 'none' }, times(0))).toEqual({ kind: 'look-again', at });
    expect(afterLook({ kind: 'none' }, times(899_999))).toEqual({ kind: 'look-again', at });
    expect(afterLook({ kind: 'none' }, times(900_000))).toEqual({ kind: 'send' });
  });

  it('waits for what may be the one, and never sends again for it', () => {
    expect(afterLook({ kind: 'undecided' }, times(86_400_000)).kind).toBe('look-again');
    expect(afterLook({ kind: 'unreadable' }, times(86_400_000))).toEqual({
      kind: 'unresolved',
      reason: 'unreadable',
    });
    const several = { kind: 'several', providerIds: ['a', 'b'] } as const;
    expect(afterLook(several, times(0))).toEqual({ kind: 'unresolved', reason: 'several_found' });
  });
});

it('waits are bounded', () => {
  expect(backoffMs(1, 60_000)).toBe(60_000);
  expect(backoffMs(3, 60_000)).toBe(240_000);
  expect(backoffMs(1000, 60_000)).toBe(3_600_000);
  expect(pollAfterMs(0, 60_000)).toBe(60_000);
  expect(pollAfterMs(3_600_000, 60_000)).toBe(360_000);
  expect(pollAfterMs(86_400_000, 60_000)).toBe(600_000);
});
