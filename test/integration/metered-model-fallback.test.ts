import { embed, generateText, streamText } from 'ai';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CallGate } from '../../src/engine/calls/call-gate.ts';
import { Parked } from '../../src/engine/parked.ts';
import type { CallGroup } from '../../src/engine/calls/call-group.ts';
import { AbandonedCalls } from '../../src/engine/maintenance/abandoned-calls.ts';
import type { MeteredModels } from '../../src/engine/calls/metered-models.ts';
import { type Script, ScriptedEmbeddingModel, ScriptedModel } from '../../src/testing/scripted-model.ts';
import { failureOf, type ModelsHarness, openMeteredModels } from '../support/models-harness.ts';
import { systemClock } from '../../src/kernel/clock.ts';

let models: ModelsHarness;
const scopes: CallGroup[] = [];
beforeAll(async () => {
  models = await openMeteredModels();
});
beforeEach(() => models.clear());
afterEach(async () => {
  await Promise.all(scopes.splice(0).map((scope) => scope.close()));
});
afterAll(() => models.close());

const meant = 'openai/gpt-5-mini';
const standIn = 'anthropic/claude-haiku-4-5';

/** Two models, and a gate that refuses those whose circuits are open. */
function outage(
  script: Script,
  fallbackScript: Script,
  fallbacks: Record<string, string> = { [meant]: standIn },
) {
  const open = new Map<string, Parked>();
  const model = new ScriptedModel(script, 'gpt-5-mini');
  const fallback = new ScriptedModel(fallbackScript, 'claude-haiku-4-5');
  const vectors = new ScriptedEmbeddingModel({ modelId: 'text-embedding-3-small' });
  const gate: CallGate = {
    enter({ provider, model: name }) {
      const parked = open.get(`${provider}/${name}`);
      return parked === undefined ? Promise.resolve(undefined) : Promise.reject(parked);
    },
  };
  const metered = models.metered(
    {
      openai: { kind: 'custom', model: (id) => (id === 'gpt-5-mini' ? model : vectors) },
      anthropic: { kind: 'custom', model: () => fallback },
    },
    { gates: [gate], fallbacks },
  );
  return { metered, model, fallback, open };
}

const parkedByCircuit = (delayMs = 15_000): Parked =>
  new Parked('its circuit is open', { reason: 'circuit', delayMs });

async function scopeOf(metered: MeteredModels): Promise<CallGroup> {
  const scope = models.openScope(metered, await models.leasedMessage());
  scopes.push(scope);
  return scope;
}

describe('a model whose circuit refuses', () => {
  it('is stood in for by its fallback, recorded and priced as the one that was asked', async () => {
    const { metered, model, fallback, open } = outage([], ['from the other']);
    open.set(meant, parkedByCircuit());
    const scope = await scopeOf(metered);
    const { text } = await generateText({ model: scope.languageModel(meant), prompt: 'Hello?' });
    expect(text).toBe('from the other');
    expect(model.requests).toHaveLength(0);
    expect(fallback.requests).toHaveLength(1);
    const [call] = await models.callRows();
    expect(call).toMatchObject({
      provider: 'anthropic',
      model: 'claude-haiku-4-5',
      attempt: 1,
      state: 'settled',
    });
    expect(call?.price_reference).toContain('anthropic/claude-haiku-4-5');
    const [line] = await models.usageLines();
    expect(line).toMatchObject({ provider: 'anthropic', model: 'claude-haiku-4-5', fallback_from: meant });
    expect((await models.metricLines('llm_fallbacks_total')).join()).toMatch(
      /from_model="openai\/gpt-5-mini",to_model="anthropic\/claude-haiku-4-5"\} 1$/,
    );
  });

  it('has its fallback’s answer given again by a later run, though it could be asked by then', async () => {
    const { metered, model, fallback, open } = outage(['of its own'], ['from the other']);
    open.set(meant, parkedByCircuit());
    const message = await models.leasedMessage();
    const ask = async (scope: CallGroup) =>
      (await generateText({ model: scope.languageModel(meant, { step: 's' }), prompt: 'Hello?' })).text;
    await ask(models.openScope(metered, message));
    open.clear();
    const again = models.openScope(metered, await models.redeliver(message));
    expect(await ask(again)).toBe('from the other');
    expect(again.spend()).toMatchObject({ calls: 0, reused: 1 });
    expect([model.requests.length, fallback.requests.length]).toEqual([0, 1]);
  });

  it('is stood in for in streams, too', async () => {
    const { metered, open } = outage([], [{ text: 'from the other' }]);
    open.set(meant, parkedByCircuit());
    const scope = await scopeOf(metered);
    expect(await streamText({ model: scope.languageModel(meant), prompt: 'Hello?' }).text).toBe(
      'from the other',
    );
    expect((await models.usageLines())[0]).toMatchObject({ fallback_from: meant, outcome: 'ok' });
  });

  it('has its fallback’s answer rejected in its name, with the seed that the fallback was asked with', async () => {
    const { metered, fallback, open } = outage([], ['of no use']);
    open.set(meant, parkedByCircuit());
    const scope = await scopeOf(metered);
    const model = scope.languageModel(meant, { step: 's', seed: 'derived' });
    await generateText({ model, prompt: 'Hello?' });
    await scope.given.reject({ step: 's' });
    const [call] = await models.callRows();
    expect(JSON.parse(call?.parameters ?? '{}')).toMatchObject({
      seed: fallback.requests[0]?.seed,
      isSeedDerived: true,
    });
    const lines = await models.usageLines();
    expect(lines.map((line) => line['fallback_from'])).toEqual([meant, meant, meant]);
    expect(lines.map((line) => line['provider'])).toEqual(['anthropic', 'anthropic', 'anthropic']);
    expect(lines[2]).toMatchObject({ record_kind: 'correction', waste_reason: 'invalid_output' });
  });

  it('keeps whom a given-up call stood in for', async () => {
    const { metered, open } = outage([], [{ hang: true }]);
    open.set(meant, parkedByCircuit());
    const message = await models.leasedMessage();
    const scope = models.openScope(metered, message);
    const asking = generateText({ model: scope.languageModel(meant), prompt: 'Hello?' }).catch(
      () => undefined,
    );
    await expect.poll(async () => (await models.callRows()).length).toBe(1);
    await models.redeliver(message);
    await new AbandonedCalls({ ledger: models.calls, clock: systemClock }).settleAbandoned();
    expect((await models.usageLines())[0]).toMatchObject({ outcome: 'unsettled', fallback_from: meant });
    await scope.close();
    await asking;
  });

  it('waits without a fallback, when the step wants none, and for any other reason than its circuit', async () => {
    const { metered, fallback, open } = outage([], []);
    open.set(meant, parkedByCircuit());
    const scope = await scopeOf(metered);
    const ask = (use: { fallback?: false } = {}) =>
      failureOf(generateText({ model: scope.languageModel(meant, use), prompt: 'Hello?' }));
    expect(await ask({ fallback: false })).toMatchObject({ reason: 'circuit' });
    open.set(meant, new Parked('too fast', { reason: 'rate_limit', delayMs: 100 }));
    expect(await ask()).toMatchObject({ reason: 'rate_limit' });
    expect(fallback.requests).toHaveLength(0);
    expect(await models.callRows()).toHaveLength(0);
  });

  it('takes the fallback that the step names', async () => {
    const { metered, fallback, open } = outage([], ['named'], {});
    open.set(meant, parkedByCircuit());
    const scope = await scopeOf(metered);
    const model = scope.languageModel(meant, { fallback: standIn });
    expect((await generateText({ model, prompt: 'Hello?' })).text).toBe('named');
    expect(fallback.requests).toHaveLength(1);
  });

  it('waits for whichever may be asked first when its fallback may not be asked either', async () => {
    const { metered, open } = outage([], []);
    const scope = await scopeOf(metered);
    const delayOf = async () =>
      (await failureOf(generateText({ model: scope.languageModel(meant), prompt: '?' }))) as Parked;
    open.set(meant, parkedByCircuit(5000));
    open.set(standIn, parkedByCircuit(90_000));
    expect((await delayOf()).delayMs).toBe(5000);
    open.set(standIn, new Parked('too fast', { reason: 'rate_limit', delayMs: 100 }));
    expect((await delayOf()).delayMs).toBe(100);
    open.set(standIn, new Parked('paused', { reason: 'pause', parkedFor: 'pause:1' }));
    expect((await delayOf()).delayMs).toBe(5000);
  });

  it('is never stood in for when it makes vectors', async () => {
    const { metered, open } = outage([], []);
    open.set('openai/text-embedding-3-small', parkedByCircuit());
    const scope = await scopeOf(metered);
    const model = scope.embeddingModel('openai/text-embedding-3-small');
    expect(await failureOf(embed({ model, value: 'x' }))).toMatchObject({ reason: 'circuit' });
  });

  it('must have a fallback that is known, which is said at start', () => {
    expect(() => outage([], [], { [meant]: 'nobody/knows' })).toThrow(/"nobody\/knows" is no model/);
  });
});
