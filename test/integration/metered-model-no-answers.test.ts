import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ScriptedAnswer, ScriptedModel } from '../../src/testing/scripted-model.ts';
import type { CallGroup } from '../../src/engine/calls/call-group.ts';
import type { CallSharing } from '../../src/engine/calls/call-sharing.ts';
import type { Parked } from '../../src/engine/parked.ts';
import { type ModelsHarness, openMeteredModels } from '../support/models-harness.ts';

let models: ModelsHarness;

beforeAll(async () => {
  models = await openMeteredModels();
});
beforeEach(() => models.clear());
afterAll(() => models.close());

it('keeps no answer where none is to be kept, and pays again for a further run', async () => {
  const answer: ScriptedAnswer = { content: [{ type: 'text', text: 'hello' }] };
  const model = new ScriptedModel([answer, answer], 'gpt-5-mini');
  const metered = models.metered(
    { scripted: { kind: 'custom', model: () => model } },
    { keepsAnswers: false },
  );
  const first = await models.leasedMessage();
  for (const run of [1, 2]) {
    const message = run === 1 ? first : await models.redeliver(first);
    const scope = models.openScope(metered, message);
    await scope.languageModel('scripted/gpt-5-mini', { step: 's' }).doGenerate({ prompt: [] });
    await scope.close();
  }
  const rows = await models.callRows();
  expect(rows.map((row) => [row.state, row.answer, row.answer_ref])).toEqual([
    ['settled', null, null],
    ['settled', null, null],
  ]);
});

describe('an answer of another message', () => {
  const meteredWith = (sharing: CallSharing) => {
    const answer: ScriptedAnswer = { content: [{ type: 'text', text: 'hello' }] };
    const model = new ScriptedModel([answer, answer], 'gpt-5-mini');
    const providers = { scripted: { kind: 'custom', model: () => model } } as const;
    return { model, metered: models.metered(providers, { sharing: () => sharing }) };
  };
  const ask = (scope: CallGroup, step: string) =>
    scope.languageModel('scripted/gpt-5-mini', { step }).doGenerate({ prompt: [] });

  it('is waited for when the calls beside it have ended, and nothing is sent after that', async () => {
    const wait = { reason: 'shared_answer', about: 'b', parkedFor: 'shared_answer:b' } as const;
    const { model, metered } = meteredWith({
      courseOf: ({ step }) => Promise.resolve(step === 'other' ? { kind: 'awaited', wait } : { kind: 'own' }),
    });
    const scope = models.openScope(metered, await models.leasedMessage());
    const own = ask(scope, 'own');
    const parked: Parked = await ask(scope, 'other').then(
      () => Promise.reject(new Error('There is no answer.')),
      (error: unknown) => error as Parked,
    );
    expect(parked).toMatchObject({ code: 'MILLRACE_WORK_PARKED', parkedFor: 'shared_answer:b' });
    expect(await models.callRows()).toMatchObject([{ step: 'own', state: 'settled', outcome: 'ok' }]);
    expect((await own).content).toMatchObject([{ text: 'hello' }]);
    await expect(ask(scope, 'later')).rejects.toBe(parked);
    await scope.close();
    expect(model.requests).toHaveLength(1);
  });

  it('costs nothing, and makes no waste of the call that was paid when it is rejected', async () => {
    const rejected: string[] = [];
    const { model, metered } = meteredWith({
      courseOf: async ({ messageId }) => {
        const [paid] = await models.callRows();
        if (paid === undefined || paid.answer === null) return { kind: 'own' };
        return {
          kind: 'answered',
          callId: paid.id,
          answer: { json: paid.answer },
          reject: () => Promise.resolve(void rejected.push(messageId)),
        };
      },
    });
    const first = models.openScope(metered, await models.leasedMessage());
    const answer = await ask(first, 's');
    const other = await models.leasedMessage();
    const second = models.openScope(metered, other);
    expect((await ask(second, 's')).content).toEqual(answer.content);
    expect(second.spend()).toMatchObject({ calls: 0, reused: 1 });
    await second.given.reject({ step: 's' });
    expect(rejected).toEqual([other.id]);
    expect(model.requests).toHaveLength(1);
    expect(await models.callRows()).toMatchObject([{ outcome: 'ok', waste_reason: null }]);
    await Promise.all([first.close(), second.close()]);
  });
});
