import { embed } from 'ai';
import { afterEach, expect, it } from 'vitest';
import { z } from 'zod';
import { defineMessage, defineStage, type MessageOf, Stage, type StageContext } from '../../src/millrace.ts';
import { ScriptedEmbeddingModel, TestKit } from '../../src/testing.ts';

const TextFound = defineMessage('text.found').version(1, z.object({ text: z.string() }));
const index = defineStage('index', { consumes: TextFound.upTo(1), concurrency: 8 });

@Stage(index)
class IndexStage {
  async handle(message: MessageOf<typeof index>, ctx: StageContext): Promise<{ numbers: number }> {
    const { embedding } = await embed({
      model: ctx.embeddingModel('openai/text-embedding-3-small', { step: 'vector', microBatch: true }),
      value: message.data.text,
      abortSignal: ctx.signal,
    });
    return { numbers: embedding.length };
  }
}

const origin = { team: 'blue', customer: 'acme', feature: 'search' };

let kit: TestKit | undefined;
afterEach(() => kit?.close());

it('a stage says that its embeddings share requests, and one message alone does not wait for ever', async () => {
  const model = new ScriptedEmbeddingModel({ modelId: 'text-embedding-3-small' });
  kit = await TestKit.create({
    providers: [IndexStage],
    models: { 'openai/text-embedding-3-small': model },
  });
  const run = await kit.run(TextFound.v1, { text: 'The tide rises twice a day.' }, { origin });
  expect(run.messages[0]?.result).toEqual({ numbers: 8 });
  expect(run.spend()).toEqual({ calls: 1, usd: '0.00000014' });
  expect(model.requests).toHaveLength(1);
});
