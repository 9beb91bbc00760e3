import { Inject } from '@nestjs/common';
import { generateText, Output } from 'ai';
import { defineStage, type MessageOf, Stage, type StageContext } from '../../src/millrace.ts';
import { type DocumentsSettings, documentsSettings } from './documents-settings.ts';
import { classification, DocumentClassified, DocumentSummarised } from './messages.ts';

const maxPromptCharacters = 3000;
const maxKeywords = 5;

export const classify = defineStage('classify', {
  pipeline: 'documents',
  owner: 'search',
  consumes: DocumentSummarised.v1,
  emits: [DocumentClassified.v1],
  retry: { maxAttempts: 7, backoff: ['500ms', '1s', '2s', '5s'], jitter: 0.2 },
});

@Stage(classify)
export class ClassifyStage {
  readonly #settings: DocumentsSettings;

  constructor(@Inject(documentsSettings) settings: DocumentsSettings) {
    this.#settings = settings;
  }

  async handle(message: MessageOf<typeof classify>, ctx: StageContext): Promise<void> {
    const { documentId, title, summary } = message.data;
    const { output } = await generateText({
      model: ctx.model(this.#settings.classificationModel, { step: 'topic' }),
      output: Output.object({ schema: classification }),
      prompt: `Classify the document "${title}" (${documentId}):\n\n${summary.slice(0, maxPromptCharacters)}`,
      maxOutputTokens: 600,
      abortSignal: ctx.signal,
    });
    ctx.emit(DocumentClassified.v1, {
      ...message.data,
      topic: output.topic,
      keywords: output.keywords.slice(0, maxKeywords),
    });
  }
}
