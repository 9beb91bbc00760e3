import { streamText } from 'ai';
import { defineStage, type MessageOf, Stage, type StageContext } from '../../src/millrace.ts';
import { ChatAnswered, ChatAsked } from './messages.ts';

export const answer = defineStage('answer', {
  pipeline: 'chat',
  owner: 'chat',
  consumes: ChatAsked.v1,
  emits: [ChatAnswered.v1],
  retry: { maxAttempts: 3, backoff: ['250ms', '1s'], jitter: 0.2 },
});

/** Answers a question. `publish: true` is all that it takes for the text to reach whoever listens, as it is made. */
@Stage(answer)
export class AnswerStage {
  async handle({ data }: MessageOf<typeof answer>, ctx: StageContext): Promise<void> {
    const { text } = streamText({
      model: ctx.model('openai/gpt-5-mini', { step: 'answer', publish: true }),
      instructions: 'You answer briefly and in plain words.',
      messages: data.turns.map(({ role, text: content }) => ({ role, content })),
      maxOutputTokens: 1000,
      abortSignal: ctx.signal,
    });
    ctx.emit(ChatAnswered.v1, { text: await text });
  }
}
