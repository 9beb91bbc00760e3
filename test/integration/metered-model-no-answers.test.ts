import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ScriptedAnswer, ScriptedModel } from '../../src/testing/scripted-model.ts';
import { type ModelsHarness, openMeteredModels } from '../support/models-harness.ts';

let models: ModelsHarness;

beforeAll(async () => {
  models = await openMeteredModels();
});
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
