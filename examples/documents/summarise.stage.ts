import { Inject } from '@nestjs/common';
import { streamText } from 'ai';
import { defineStage, type MessageOf, Stage, type StageContext } from '../../src/millrace.ts';
import { type DocumentsSettings, documentsSettings } from './documents-settings.ts';
import { DocumentFetched, DocumentSummarised } from './messages.ts';

const maxPromptCharacters = 6000;

export const summarise = defineStage('summarise', {
  pipeline: 'documents',
  owner: 'knowledge',
  consumes: DocumentFetched.v2,
  emits: [DocumentSummarised.v1],
  retry: { maxAttempts: 7, backoff: ['500ms', '1s', '2s', '5s'], jitter: 0.2 },
});

@Stage(summarise)
export class SummariseStage {
  readonly #settings: DocumentsSettings;

  constructor(@Inject(documentsSettings) settings: DocumentsSettings) {
    this.#settings = settings;
  }

  async handle(message: MessageOf<typeof summarise>, ctx: StageContext): Promise<void> {
    const { documentId, title, text } = message.data;
    const answer = streamText({
      model: ctx.model(this.#settings.summaryModel, { step: 'summary' }),
      instructions: 'You summarise documents for people who search them: two or three plain sentences.',
      prompt: `Summarise this document (${documentId}):\n\n${text.slice(0, maxPromptCharacters)}`,
      maxOutputTokens: 800,
      abortSignal: ctx.signal,
    });
    ctx.emit(DocumentSummarised.v1, { documentId, title, summary: await answer.text });
  }
}
