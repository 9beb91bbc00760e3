import { Inject } from '@nestjs/common';
import { defineStage, type MessageOf, Stage, type StageContext } from '../../src/millrace.ts';
import { type DocumentsSettings, documentsSettings } from './documents-settings.ts';
import { packagesFolder } from './find-documents.ts';
import { DocumentFetched, DocumentListed, titleOf } from './messages.ts';
import { readDocument } from './read-document.ts';

/** What follows after this many characters would not change a summary. */
const maxCharacters = 40_000;

export const fetchDocument = defineStage('fetch', {
  pipeline: 'documents',
  owner: 'knowledge',
  consumes: DocumentListed.v1,
  emits: [DocumentFetched.v2],
  retry: { maxAttempts: 3, backoff: ['250ms'] },
});

@Stage(fetchDocument)
export class FetchStage {
  readonly #settings: DocumentsSettings;

  constructor(@Inject(documentsSettings) settings: DocumentsSettings) {
    this.#settings = settings;
  }

  async handle(message: MessageOf<typeof fetchDocument>, ctx: StageContext): Promise<void> {
    const { documentId, file } = message.data;
    const folder = this.#settings.documentsDirectory ?? (await packagesFolder(import.meta.dirname));
    const content = await readDocument(folder, file, ctx.signal);
    // What could not be stored or sent as text is made harmless here, once for all that follow.
    const text = content.slice(0, maxCharacters).replaceAll('\u0000', '').toWellFormed();
    ctx.emit(DocumentFetched.v2, { documentId, title: titleOf(text), text });
  }
}
