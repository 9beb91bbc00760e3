import { z } from 'zod';
import { defineMessage } from '../../src/millrace.ts';

/** What a chat asks: all that was said so far, the question last. */
export const ChatAsked = defineMessage('chat.asked').version(
  1,
  z.object({
    turns: z
      .array(z.object({ role: z.enum(['user', 'assistant']), text: z.string().max(20_000) }))
      .min(1)
      .max(200),
  }),
);

/** The end of the pipeline, and with it the result of a request. */
export const ChatAnswered = defineMessage('chat.answered').version(1, z.object({ text: z.string() }));
