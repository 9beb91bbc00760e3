import { generateText } from 'ai';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { findParked } from '../../src/engine/parked.ts';
import { Blocks } from '../../src/engine/ledger/blocks.ts';
import type { CallGroup } from '../../src/engine/calls/call-group.ts';
import { abortOfCall } from '../../src/capabilities/pauses/pause-effects.ts';
import { failureOf, type ModelsHarness, openMeteredModels, someOrigin } from '../support/models-harness.ts';

/* Calls while their model is held. */

let models: ModelsHarness;
let blocks: Blocks;
const scopes: CallGroup[] = [];
const held = { scope: 'model', value: 'scripted/gpt-5-mini' } as const;
const by = { actor: 'ann', reason: 'test' };

beforeAll(async () => {
  models = await openMeteredModels();
  blocks = new Blocks({ database: models.database, clock: systemClock });
});
beforeEach(() => models.clear());
afterEach(async () => {
  await Promise.all(scopes.splice(0).map((scope) => scope.close()));
  await blocks.remove(held, by);
});
afterAll(() => models.close());

const begin = (scope: CallGroup): CallGroup => {
  scopes.push(scope);
  return scope;
};
const ask = (scope: CallGroup) =>
  generateText({ model: scope.languageModel(held.value), prompt: 'Hello', maxRetries: 0 });

describe('a call to a paused model', () => {
  it('is not made: the work waits for the block, in a stage or outside', async () => {
    const { metered, model } = models.scripted(['one']);
    const { block } = await blocks.place({ ...held, ...by, aborts: false });
    const [inStage, outside] = [
      begin(models.openScope(metered, await models.leasedMessage())),
      begin(metered.openScope({ origin: someOrigin, signal: new AbortController().signal })),
    ];
    for (const scope of [inStage, outside]) {
      expect(findParked(await failureOf(ask(scope)))).toMatchObject({
        reason: 'pause',
        parkedFor: `pause:${block.id}`,
      });
    }
    expect(model.requests).toHaveLength(0);
    expect(await models.callRows()).toEqual([]);
    await blocks.remove(held, by);
    expect((await ask(inStage)).text).toBe('one');
  });

  it('is ended in the air when the block aborts, kept as unsettled, and the work waits for the block', async () => {
    const { metered, model } = models.scripted([{ hang: true }]);
    const scope = begin(models.openScope(metered, await models.leasedMessage()));
    const asked = failureOf(ask(scope));
    await expect.poll(() => model.requests.length).toBe(1);
    const { block } = await blocks.place({ ...held, ...by, aborts: true });
    metered.abortCalls((call) => abortOfCall([{ ...block, value: 'scripted/another' }], call));
    metered.abortCalls((call) => abortOfCall([block], call));
    expect(findParked(await asked)).toMatchObject({ parkedFor: `pause:${block.id}` });
    expect(await models.callRows()).toMatchObject([{ state: 'unsettled', waste_reason: 'aborted' }]);
  });
});
