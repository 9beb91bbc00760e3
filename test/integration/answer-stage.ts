import { Inject, Injectable } from '@nestjs/common';
import { generateText } from 'ai';
import { z } from 'zod';
import { defineMessage, defineStage, type MessageOf, Stage, type StageContext } from '../../src/millrace.ts';

/* A stage that pays for a draft and for a check, and can be broken in between. */

export const TicketOpened = defineMessage('ticket.opened').version(1, z.object({ subject: z.string() }));
export const TicketAnswered = defineMessage('ticket.answered').version(1, z.object({ answer: z.string() }));

const answer = defineStage('answer', {
  consumes: TicketOpened.upTo(1),
  emits: [TicketAnswered.v1],
  pipeline: 'support',
  owner: 'platform',
  retry: { maxAttempts: 2, backoff: ['1s'], jitter: 0 },
});

@Injectable()
export class Template {
  /** What rendering fails with; undefined when it is in order. */
  fault: string | undefined;
}

@Stage(answer)
export class AnswerStage {
  readonly #template: Template;

  constructor(@Inject(Template) template: Template) {
    this.#template = template;
  }

  async handle(message: MessageOf<typeof answer>, ctx: StageContext): Promise<void> {
    const draft = await generateText({
      model: ctx.model('openai/gpt-5-mini', { step: 'draft' }),
      prompt: message.data.subject,
    });
    if (this.#template.fault !== undefined) throw new Error(this.#template.fault);
    const check = await generateText({
      model: ctx.model('openai/gpt-5-mini', { step: 'check' }),
      prompt: draft.text,
    });
    ctx.emit(TicketAnswered.v1, { answer: check.text });
  }
}
