import { generateText, streamText } from 'ai';
import { z } from 'zod';
import type { StageHandler } from '../../src/engine/pipeline/stage-context.ts';
import { defineStage } from '../../src/engine/pipeline/stage-definition.ts';
import type { RegisteredStage } from '../../src/engine/pipeline/stage-registry.ts';
import { defineMessage } from '../../src/messages/message-type.ts';
import { Died } from './mortal.ts';

/* A pipeline of two stages, each with one call to a model, for items of batches. */

/** What an item asks. */
const Asked = defineMessage('mode.asked').version(1, z.object({ text: z.string(), model: z.string() }));
/** As batches admit their items. */
export const askedType = { typeName: 'mode.asked', version: 1 } as const;
const Drafted = defineMessage('mode.drafted').version(1, z.object({ text: z.string(), model: z.string() }));

const retry = { maxAttempts: 2, backoff: ['10ms'] } as const;
const draft = defineStage('draft', { consumes: Asked.upTo(1), emits: [Drafted.v1], retry });
const polish = defineStage('polish', { consumes: Drafted.upTo(1), retry });

/** What decides whether a small model's draft is taken. */
export const draftCheck: { accept: (text: string) => true | string } = { accept: () => true };

/** Items whose first run is lost as it is about to wait: its process died. */
export const lostRuns = new Set<string>();

const drafting: StageHandler<{ readonly text: string; readonly model: string }> = {
  handle: async ({ data }, ctx) => {
    const { text } = await generateText({
      model: data.model.includes(' > ')
        ? ctx.cascade(data.model.split(' > '), { step: 'draft', accept: (text) => draftCheck.accept(text) })
        : ctx.model(data.model, { step: 'draft' }),
      prompt: `Draft: ${data.text}`,
      maxOutputTokens: 4000,
      abortSignal: ctx.signal,
    }).catch((error: unknown) => {
      if (lostRuns.delete(data.text)) throw new Died('The worker is dead.');
      throw error;
    });
    ctx.emit(Drafted.v1, { text, model: data.model });
  },
};

/** Streams, which an answer from a batch serves as well. */
const polishing: StageHandler<{ readonly text: string; readonly model: string }> = {
  handle: async ({ data }, ctx) => {
    const { text } = streamText({
      model: ctx.model(data.model.split(' > ').at(-1) ?? data.model, { step: 'polish' }),
      prompt: `Polish: ${data.text}`,
      maxOutputTokens: 4000,
      abortSignal: ctx.signal,
      onError: () => undefined,
    });
    return { text: await text };
  },
};

/** A model of each provider, and a cascade. */
export const models = {
  openai: 'openai/gpt-5-mini',
  anthropic: 'anthropic/claude-haiku-4-5',
  cascade: 'openai/gpt-5-nano > openai/gpt-5-mini',
} as const;

/** Both stages. */
export const modedStages = [
  { definition: draft, handler: drafting },
  { definition: polish, handler: polishing },
] as unknown as readonly RegisteredStage[];
