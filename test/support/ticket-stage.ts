import { generateText } from 'ai';
import { z } from 'zod';
import { defineMessage } from '../../src/messages/message-type.ts';
import type { StageContext } from '../../src/engine/pipeline/stage-context.ts';
import { defineStage } from '../../src/engine/pipeline/stage-definition.ts';
import type { RegisteredStage } from '../../src/engine/pipeline/stage-registry.ts';

export const TicketOpened = defineMessage('ticket.opened').version(1, z.object({ subject: z.string() }));

/** A stage that asks a model once for each ticket. */
export function ticketStage(concurrency: number): RegisteredStage {
  return {
    definition: defineStage('answer', { consumes: TicketOpened.upTo(1), concurrency }),
    handler: {
      async handle(message: { data: unknown }, ctx: StageContext) {
        const { text } = await generateText({
          model: ctx.model('openai/gpt-5-mini', { step: 'answer' }),
          prompt: (message.data as { subject: string }).subject,
          maxOutputTokens: 200,
        });
        return text;
      },
    },
  } as unknown as RegisteredStage;
}
