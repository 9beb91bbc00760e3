import { describe, expect, it } from 'vitest';
import { type Block, type BlockScope, parkedForPause } from '../../engine/ledger/block.ts';
import { abortOfCall, abortOfWork, changesOf, isStagePaused } from './pause-effects.ts';

const pause = (scope: BlockScope, value = '', aborts = true, id = `${scope}/${value}`): Block => ({
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

describe('what pauses mean for a process', () => {
  it('pauses the consumers of a paused stage, and all when everything is paused; of no other', () => {
    expect(isStagePaused([], 'first')).toBe(false);
    expect(isStagePaused([pause('stage', 'first', false)], 'first')).toBe(true);
    expect(isStagePaused([pause('stage', 'first')], 'second')).toBe(false);
    expect(isStagePaused([pause('all', '', false)], 'second')).toBe(true);
    for (const scope of ['model', 'provider', 'team', 'customer', 'feature', 'batch'] as const)
      expect(isStagePaused([pause(scope, 'first')], 'first'), scope).toBe(false);
  });

  it.each([
    ['all', ''],
    ['stage', 'first'],
    ['team', 'blue'],
    ['customer', 'acme'],
    ['feature', 'search'],
    ['batch', 'night'],
  ] as const)(
    'ends handlers by a pause on %s %s, only when it aborts and is on their work',
    (scope, value) => {
      const found = abortOfWork([pause('team', 'red'), pause(scope, value)], work);
      expect(found).toMatchObject({
        reason: 'pause',
        parkedFor: parkedForPause(`${scope}/${value}`),
        delayMs: undefined,
      });
      expect(abortOfWork([pause(scope, value, false)], work)).toBeUndefined();
      if (scope !== 'all') expect(abortOfWork([pause(scope, `${value}!`)], work)).toBeUndefined();
    },
  );

  it('leaves a handler alone whose model is paused: only its call ends', () => {
    const call = {
      provider: 'openai',
      model: 'gpt-5',
      origin,
      message: { stage: 'first' } as never,
    };
    for (const standing of [pause('model', 'openai/gpt-5'), pause('provider', 'openai')]) {
      expect(abortOfWork([standing], work)).toBeUndefined();
      expect(abortOfCall([standing], call)).toMatchObject({ parkedFor: parkedForPause(standing.id) });
      expect(abortOfCall([{ ...standing, aborts: false }], call)).toBeUndefined();
    }
    expect(
      abortOfCall([pause('model', 'openai/gpt-5-mini'), pause('provider', 'azure')], call),
    ).toBeUndefined();
    expect(abortOfCall([pause('team', 'blue'), pause('all')], call)).toBeUndefined();
  });

  it('ends calls outside a stage by who caused them', () => {
    const call = { provider: 'openai', model: 'gpt-5', origin, message: undefined };
    expect(abortOfCall([pause('team', 'blue')], call)).toBeDefined();
    expect(abortOfCall([pause('all')], call)).toBeDefined();
    expect(abortOfCall([pause('team', 'red'), pause('stage', 'first')], call)).toBeUndefined();
  });

  it('tells what came and went', () => {
    const [one, two, three] = [pause('all'), pause('stage', 'first'), pause('team', 'blue')];
    expect(changesOf([], [])).toEqual({ placed: [], resumed: [] });
    expect(changesOf([one, two], [{ ...two, reason: 'another' }, three])).toEqual({
      placed: [three],
      resumed: [one],
    });
  });
});
