import { describe, expect, it } from 'vitest';
import { type Hold, type HoldScope, parkedForHold } from '../../engine/ledger/hold.ts';
import { abortOfCall, abortOfWork, changesOf, isStagePaused } from './hold-effects.ts';

const hold = (scope: HoldScope, value = '', aborts = true, id = `${scope}/${value}`): Hold => ({
  id,
  scope,
  value,
  aborts,
  actor: 'ann',
  reason: 'test',
  createdAt: new Date(0),
});
const origin = { team: 'blue', customer: 'acme', feature: 'search', batch: 'night' };
const work = { stage: 'first', origin };

describe('what holds mean for a process', () => {
  it('pauses the consumers of a held stage, and all when everything is held; of no other', () => {
    expect(isStagePaused([], 'first')).toBe(false);
    expect(isStagePaused([hold('stage', 'first', false)], 'first')).toBe(true);
    expect(isStagePaused([hold('stage', 'first')], 'second')).toBe(false);
    expect(isStagePaused([hold('all', '', false)], 'second')).toBe(true);
    for (const scope of ['model', 'provider', 'team', 'customer', 'feature', 'batch'] as const)
      expect(isStagePaused([hold(scope, 'first')], 'first'), scope).toBe(false);
  });

  it.each([
    ['all', ''],
    ['stage', 'first'],
    ['team', 'blue'],
    ['customer', 'acme'],
    ['feature', 'search'],
    ['batch', 'night'],
  ] as const)(
    'ends handlers by a hold on %s %s, only when it aborts and is on their work',
    (scope, value) => {
      const found = abortOfWork([hold('team', 'red'), hold(scope, value)], work);
      expect(found).toMatchObject({
        reason: 'hold',
        parkedFor: parkedForHold(`${scope}/${value}`),
        delayMs: undefined,
      });
      expect(abortOfWork([hold(scope, value, false)], work)).toBeUndefined();
      if (scope !== 'all') expect(abortOfWork([hold(scope, `${value}!`)], work)).toBeUndefined();
    },
  );

  it('leaves a handler alone whose model is held: only its call ends', () => {
    const call = {
      provider: 'openai',
      model: 'gpt-5',
      owner: { origin, message: { stage: 'first' } as never },
    };
    for (const standing of [hold('model', 'openai/gpt-5'), hold('provider', 'openai')]) {
      expect(abortOfWork([standing], work)).toBeUndefined();
      expect(abortOfCall([standing], call)).toMatchObject({ parkedFor: parkedForHold(standing.id) });
      expect(abortOfCall([{ ...standing, aborts: false }], call)).toBeUndefined();
    }
    expect(
      abortOfCall([hold('model', 'openai/gpt-5-mini'), hold('provider', 'azure')], call),
    ).toBeUndefined();
    expect(abortOfCall([hold('team', 'blue'), hold('all')], call)).toBeUndefined();
  });

  it('ends calls outside a stage by who caused them', () => {
    const call = { provider: 'openai', model: 'gpt-5', owner: { origin, message: undefined } };
    expect(abortOfCall([hold('team', 'blue')], call)).toBeDefined();
    expect(abortOfCall([hold('all')], call)).toBeDefined();
    expect(abortOfCall([hold('team', 'red'), hold('stage', 'first')], call)).toBeUndefined();
  });

  it('tells what came and went', () => {
    const [one, two, three] = [hold('all'), hold('stage', 'first'), hold('team', 'blue')];
    expect(changesOf([], [])).toEqual({ placed: [], lifted: [] });
    expect(changesOf([one, two], [{ ...two, reason: 'another' }, three])).toEqual({
      placed: [three],
      lifted: [one],
    });
  });
});
