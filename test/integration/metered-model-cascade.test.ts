import { generateText, streamText } from 'ai';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CallGroup } from '../../src/engine/calls/call-group.ts';
import type { OwningMessage } from '../../src/engine/calls/call-maker.ts';
import type { MeteredModels } from '../../src/engine/calls/metered-models.ts';
import type { ModelUse } from '../../src/engine/calls/model-use.ts';
import { sumUsd, usd } from '../../src/kernel/money.ts';
import { refusal, type ScriptedAnswer, ScriptedModel } from '../../src/testing/scripted-model.ts';
import { failureOf, type ModelsHarness, openMeteredModels } from '../support/models-harness.ts';

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

const nano = 'scripted/gpt-5-nano';
const mini = 'scripted/gpt-5-mini';
const large = 'scripted/gpt-5';
const usage = { uncachedInput: 1000, cacheRead: 200, textOutput: 100 };
/** What that is at the prices of gpt-5: 1.25, 0.125 and 10 dollars a million. */
const atLarge = '0.002275';

type Scripts = Readonly<Record<string, readonly ScriptedAnswer[]>>;

interface Cascaded {
  readonly metered: MeteredModels;
  /** How many requests each model had. */
  readonly requests: () => Readonly<Record<string, number>>;
}

function cascadeOf(scripts: Scripts): Cascaded {
  const scripted = new Map(
    Object.entries(scripts).map(([id, script]) => [id, new ScriptedModel(script, id)] as const),
  );
  const metered = models.metered({
    scripted: { kind: 'custom', model: (id) => scripted.get(id) ?? new ScriptedModel([], id) },
  });
  return {
    metered,
    requests: () => Object.fromEntries([...scripted].map(([id, { requests }]) => [id, requests.length])),
  };
}

async function scopeOf(metered: MeteredModels, message?: OwningMessage): Promise<CallGroup> {
  const scope = models.openScope(metered, message ?? (await models.leasedMessage()));
  scopes.push(scope);
  return scope;
}

const isYes = (text: string): true | string => text.startsWith('yes') || 'not sure';

function ask(
  scope: CallGroup,
  {
    references = [nano, large],
    accept = isYes,
    ...use
  }: ModelUse & { references?: readonly string[]; accept?: (text: string) => true | string } = {},
) {
  const model = scope.cascade(references, accept, { step: 'triage', ...use });
  return generateText({ model, prompt: 'Urgent?' });
}

/** What records say of a figure of a call, in sum. */
async function recorded(field: string): Promise<string> {
  const lines = await models.usageLines();
  return sumUsd(lines.map((line) => usd((line[field] ?? '0') as string))).toFixed();
}

describe('a small model’s answer in a cascade', () => {
  it('is taken when it is accepted, with what the last model would have cost', async () => {
    const { metered, requests } = cascadeOf({ 'gpt-5-nano': [{ text: 'yes', usage }], 'gpt-5': [] });
    const { text } = await ask(await scopeOf(metered));
    expect(text).toBe('yes');
    expect(requests()).toEqual({ 'gpt-5-nano': 1, 'gpt-5': 0 });
    const rows = await models.callRows();
    expect(rows).toMatchObject([
      { step: 'triage 1/2', model: 'gpt-5-nano', cascade_place: 1, cascade_models: 2 },
    ]);
    expect(rows[0]).toMatchObject({ cascade_verdict: 'accepted', waste_reason: null });
    expect(usd(rows[0]?.cascade_usd ?? '0').equals(atLarge)).toBe(true);
    const [line] = await models.usageLines();
    expect(line).toMatchObject({
      cascade_place: 1,
      cascade_models: 2,
      cascade_verdict: 'accepted',
      cascade_usd: atLarge,
    });
  });

  it('is paid for and no waste when it is not accepted, and the next model is asked', async () => {
    const { metered } = cascadeOf({
      'gpt-5-nano': [{ text: 'maybe', usage }],
      'gpt-5-mini': [{ text: 'perhaps', usage }],
      'gpt-5': [{ text: 'no', usage }],
    });
    const { text } = await ask(await scopeOf(metered), { references: [nano, mini, large] });
    expect(text).toBe('no');
    expect(await models.callRows()).toMatchObject([
      { step: 'triage 1/3', cascade_place: 1, cascade_verdict: 'escalated', waste_reason: null },
      { step: 'triage 2/3', cascade_place: 2, cascade_verdict: 'escalated', cascade_usd: null },
      { step: 'triage 3/3', cascade_place: 3, cascade_models: 3, cascade_verdict: null },
    ]);
    expect(await recorded('cascade_usd')).toBe('0');
    expect(await models.metricLines('cascade_answers_total')).toContainEqual(
      expect.stringMatching(/gpt-5-nano.*verdict="escalated".* 1$/),
    );
  });

  it.each([
    ['empty', { text: '' }],
    ['cut off', { text: 'yes, bec', finishReason: 'length' as const }],
    ['invalid for the step', { text: 'yes but odd' }],
  ])('is escalated when it is %s', async (_kind, answer) => {
    const { metered } = cascadeOf({ 'gpt-5-nano': [answer], 'gpt-5': ['yes'] });
    const rules = { validate: (text: string) => text === 'yes' || 'odd' };
    expect((await ask(await scopeOf(metered), { rules })).text).toBe('yes');
    expect(await models.callRows()).toMatchObject([
      { cascade_verdict: 'escalated', waste_reason: null },
      { outcome: 'ok' },
    ]);
  });

  it('is escalated when its check throws', async () => {
    const { metered } = cascadeOf({ 'gpt-5-nano': ['{'], 'gpt-5': ['the answer'] });
    const accept = (text: string) => JSON.parse(text) === 1 || 'not 1';
    expect((await ask(await scopeOf(metered), { accept })).text).toBe('the answer');
  });

  it('ends the attempt when it was filtered: what one refuses, no other is asked', async () => {
    const { metered, requests } = cascadeOf({
      'gpt-5-nano': [{ text: '', finishReason: 'content-filter' }],
      'gpt-5': [],
    });
    const error = await failureOf(ask(await scopeOf(metered)));
    expect(error.code).toBe('MILLRACE_MODEL_CONTENT_POLICY');
    expect(requests()).toEqual({ 'gpt-5-nano': 1, 'gpt-5': 0 });
  });

  it('has no saving to tell where the last model has no price', async () => {
    const { metered } = cascadeOf({ 'gpt-5-nano': ['yes'], 'own-model': [] });
    await ask(await scopeOf(metered), { references: [nano, 'scripted/own-model'] });
    expect(await models.callRows()).toMatchObject([{ cascade_verdict: 'accepted', cascade_usd: null }]);
    const [line] = await models.usageLines();
    expect(line).toMatchObject({ cascade_unvalued: 1 });
    expect(line).not.toHaveProperty('cascade_usd');
  });
});

describe('a later run of a message with a cascade', () => {
  it('goes on at the larger model when a run died between the two answers', async () => {
    const { metered, requests } = cascadeOf({
      'gpt-5-nano': [{ text: 'maybe', usage }],
      'gpt-5': [{ error: refusal(503, 'down') }, { text: 'no', usage }],
    });
    const message = await models.leasedMessage();
    await failureOf(ask(await scopeOf(metered, message)));
    const asked: string[] = [];
    const accept = (text: string): true => {
      asked.push(text);
      return true;
    };
    const again = await scopeOf(metered, await models.redeliver(message));
    expect((await ask(again, { accept })).text).toBe('no');
    expect(asked).toEqual([]);
    expect(requests()).toEqual({ 'gpt-5-nano': 1, 'gpt-5': 2 });
  });

  it('does not ask anew when a run died before the larger model was asked', async () => {
    const { metered, requests } = cascadeOf({ 'gpt-5-nano': ['maybe'], 'gpt-5': ['no'] });
    const message = await models.leasedMessage();
    const died = new AbortController();
    const scope = models.openScope(metered, message, died.signal);
    scopes.push(scope);
    const accept = (): string => {
      died.abort(new Error('the process dies'));
      return 'not sure';
    };
    await failureOf(ask(scope, { accept }));
    expect(await models.callRows()).toMatchObject([{ state: 'settled', cascade_verdict: 'escalated' }]);
    const again = await scopeOf(metered, await models.redeliver(message));
    expect((await ask(again, { accept: () => true })).text).toBe('no');
    expect(requests()).toEqual({ 'gpt-5-nano': 1, 'gpt-5': 1 });
  });

  it('is given the accepted answer, whatever its check says by then', async () => {
    const { metered, requests } = cascadeOf({ 'gpt-5-nano': ['yes'], 'gpt-5': [] });
    const message = await models.leasedMessage();
    await ask(await scopeOf(metered, message));
    const again = await scopeOf(metered, await models.redeliver(message));
    expect((await ask(again, { accept: () => 'never' })).text).toBe('yes');
    expect(again.spend()).toMatchObject({ calls: 0, reused: 1 });
    expect(requests()).toEqual({ 'gpt-5-nano': 1, 'gpt-5': 0 });
  });

  it('keeps the places of requests that are made side by side', async () => {
    const { metered, requests } = cascadeOf({
      'gpt-5-nano': ['yes', 'maybe', 'maybe'],
      'gpt-5': ['large 1', 'large 2'],
    });
    const message = await models.leasedMessage();
    const askAll = (scope: CallGroup) =>
      Promise.all([1, 2, 3].map(() => ask(scope, { reuse: 'always' }).then(({ text }) => text)));
    const first = await askAll(await scopeOf(metered, message));
    const again = await askAll(await scopeOf(metered, await models.redeliver(message)));
    expect(again).toEqual(first);
    expect(requests()).toEqual({ 'gpt-5-nano': 3, 'gpt-5': 2 });
  });

  it('asks the next model when the handler rejected what the small one had answered', async () => {
    const { metered, requests } = cascadeOf({
      'gpt-5-nano': [{ text: 'yes of no use', usage }],
      'gpt-5': [{ text: 'no', usage }],
    });
    let message = await models.leasedMessage();
    const scope = await scopeOf(metered, message);
    await ask(scope);
    expect(await recorded('cascade_usd')).toBe(atLarge);
    await scope.given.reject({ step: 'triage' });
    const [rejected] = await models.callRows();
    expect(rejected).toMatchObject({
      cascade_verdict: 'escalated',
      cascade_usd: null,
      waste_reason: 'invalid_output',
    });
    expect(await recorded('cascade_usd')).toBe('0');
    for (const run of [1, 2]) {
      message = await models.redeliver(message);
      const again = await scopeOf(metered, message);
      expect((await ask(again)).text, `run ${run}`).toBe('no');
    }
    expect(requests()).toEqual({ 'gpt-5-nano': 1, 'gpt-5': 1 });
  });
});

describe('a stream of a cascade', () => {
  it('is the small model’s answer once it is accepted', async () => {
    const { metered } = cascadeOf({ 'gpt-5-nano': ['yes indeed'], 'gpt-5': [] });
    const scope = await scopeOf(metered);
    const model = scope.cascade([nano, large], isYes, { step: 'triage' });
    expect(await streamText({ model, prompt: 'Urgent?' }).text).toBe('yes indeed');
    expect(await models.callRows()).toMatchObject([{ cascade_verdict: 'accepted' }]);
  });

  it('has nothing of an answer that is not', async () => {
    const { metered } = cascadeOf({ 'gpt-5-nano': ['maybe'], 'gpt-5': ['no'] });
    const scope = await scopeOf(metered);
    const model = scope.cascade([nano, large], isYes, { step: 'triage' });
    expect(await streamText({ model, prompt: 'Urgent?' }).text).toBe('no');
    expect(await models.callRows()).toMatchObject([{ cascade_verdict: 'escalated' }, { cascade_place: 2 }]);
  });

  it('fails as streams do when the small model fails', async () => {
    const { metered } = cascadeOf({ 'gpt-5-nano': [{ error: refusal(400, 'bad') }], 'gpt-5': [] });
    const scope = await scopeOf(metered);
    const model = scope.cascade([nano, large], isYes, { step: 'triage' });
    const parts = await model.doStream({
      prompt: [{ role: 'user', content: [{ type: 'text', text: 'Go' }] }],
    });
    const error = await failureOf(parts.stream.getReader().read());
    expect(error.code).toBe('MILLRACE_MODEL_BAD_REQUEST');
  });
});

it('a cascade names two models at least, and none twice', async () => {
  const { metered } = cascadeOf({});
  const scope = await scopeOf(metered);
  expect(() => scope.cascade([nano], isYes)).toThrow('2 to 5 models');
  expect(() => scope.cascade([nano, nano], isYes)).toThrow('names one twice');
  expect(() => scope.cascade([nano, 'nobody/x'], isYes)).toThrow('nobody');
});
