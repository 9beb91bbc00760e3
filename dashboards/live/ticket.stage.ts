import { generateText } from 'ai';
import { z } from 'zod';
import {
  defineMessage,
  defineStage,
  type MessageOf,
  type Origin,
  Stage,
  type StageContext,
} from '../../src/millrace.ts';

/* A second pipeline of a live run: tickets of a help desk, in the interactive lane, now and then with an unpriced model. */

export const TicketReceived = defineMessage('ticket.received').version(
  1,
  z.object({ ticket: z.string(), text: z.string(), attachment: z.string(), isExperiment: z.boolean() }),
);

export const answerTicket = defineStage('answer', {
  pipeline: 'tickets',
  owner: 'support',
  consumes: TicketReceived.v1,
  emits: [],
  retry: { maxAttempts: 5, backoff: ['500ms', '1s', '2s'], jitter: 0.2 },
  drainWithin: '30s',
  lane: () => 'interactive',
});

@Stage(answerTicket)
export class AnswerTicketStage {
  async handle(message: MessageOf<typeof answerTicket>, ctx: StageContext): Promise<void> {
    const { text, isExperiment } = message.data;
    const { text: topic } = await generateText({
      model: ctx.model('openai/gpt-5-nano', { step: 'topic' }),
      prompt: `Name the topic of this ticket:\n${text}`,
      maxOutputTokens: 1500,
      abortSignal: ctx.signal,
    });
    // When this fails, the next attempt reuses the topic that was paid for.
    await generateText({
      model: ctx.model(isExperiment ? 'openai/experimental-unpriced' : 'anthropic/claude-haiku-4-5', {
        step: 'answer',
      }),
      prompt: `Answer this ticket about ${topic}:\n${text}`,
      maxOutputTokens: 1500,
      abortSignal: ctx.signal,
    });
  }
}

const teams = ['help-centre', 'checkout', 'onboarding'] as const;

/** Whose ticket it is. */
export function originOfTicket(number: number): Origin {
  return {
    team: teams[number % teams.length] ?? teams[0],
    customer: `customer-${String((number * 7) % 40).padStart(3, '0')}`,
    feature: 'ticket-answers',
  };
}
