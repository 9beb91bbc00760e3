import { generateText } from 'ai';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { findParked } from '../../src/engine/parked.ts';
import { Holds } from '../../src/engine/ledger/holds.ts';
import type { CallScope } from '../../src/engine/calls/call-scope.ts';
import { abortOfCall } from '../../src/capabilities/pauses/hold-effects.ts';
import { failureOf, type MeteredModels, openMeteredModels, someOrigin } from '../support/metered-models.ts';

/* Calls while their model is held. */

let models: MeteredModels;
let holds: Holds;
const scopes: CallScope[] = [];
const held = { scope: 'model', value: 'scripted/gpt-5-mini' } as const;
const by = { actor: 'ann', reason: 'test' };

beforeAll(async () => {
  models = await openMeteredModels();
  holds = new Holds({ database: models.database, clock: systemClock });
});
beforeEach(() => models.clear());
afterEach(async () => {
  await Promise.all(scopes.splice(0).map((scope) => scope.close()));
  await holds.lift(held, by);
});
afterAll(() => models.close());

const begin = (scope: CallScope): CallScope => {
  scopes.push(scope);
  return scope;
};
const ask = (scope: CallScope) =>
  generateText({ model: scope.languageModel(held.value), prompt: 'Hello', maxRetries: 0 });

describe('a call to a held model', () => {
  it('is not made: the work waits for the hold, in a stage or outside', async () => {
    const { gateway, model } = models.scripted(['one']);
    const { hold } = await holds.place({ ...held, ...by, aborts: false });
    const [inStage, outside] = [
      begin(models.openScope(gateway, await models.leasedMessage())),
      begin(gateway.openScope({ origin: someOrigin, signal: new AbortController().signal })),
    ];
    for (const scope of [inStage, outside]) {
      expect(findParked(await failureOf(ask(scope)))).toMatchObject({
        reason: 'hold',
        parkedFor: `hold:${hold.id}`,
      });
    }
    expect(model.requests).toHaveLength(0);
    expect(await models.callRows()).toEqual([]);
    await holds.lift(held, by);
    expect((await ask(inStage)).text).toBe('one');
  });

  it('is ended in the air when the hold aborts, kept as unsettled, and the work waits for the hold', async () => {
    const { gateway, model } = models.scripted([{ hang: true }]);
    const scope = begin(models.openScope(gateway, await models.leasedMessage()));
    const asked = failureOf(ask(scope));
    await expect.poll(() => model.requests.length).toBe(1);
    const { hold } = await holds.place({ ...held, ...by, aborts: true });
    gateway.abortCalls((call) => abortOfCall([{ ...hold, value: 'scripted/another' }], call));
    gateway.abortCalls((call) => abortOfCall([hold], call));
    expect(findParked(await asked)).toMatchObject({ parkedFor: `hold:${hold.id}` });
    expect(await models.callRows()).toMatchObject([{ state: 'unsettled', waste_reason: 'aborted' }]);
  });
});
