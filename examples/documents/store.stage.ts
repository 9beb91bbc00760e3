import { createHash } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Inject } from '@nestjs/common';
import { defineStage, type MessageOf, Stage, type StageContext } from '../../src/millrace.ts';
import { type DocumentsSettings, documentsSettings } from './documents-settings.ts';
import { DocumentClassified, DocumentStored } from './messages.ts';

export const store = defineStage('store', {
  pipeline: 'documents',
  owner: 'search',
  consumes: DocumentClassified.upTo(1),
  emits: [DocumentStored.v1],
  retry: { attempts: 4, backoff: ['500ms', '2s'] },
});

/**
 * Writes the result. A stage may run twice for one message (its process can die after the file was written), so what
 * it does outside of Millrace must come out the same: the file's name follows from the document, its content from the
 * message, and it appears whole or not at all.
 */
@Stage(store)
export class StoreStage {
  readonly #settings: DocumentsSettings;

  constructor(@Inject(documentsSettings) settings: DocumentsSettings) {
    this.#settings = settings;
  }

  async handle(message: MessageOf<typeof store>, ctx: StageContext): Promise<{ readonly file: string }> {
    const { resultsDirectory } = this.#settings;
    const { documentId } = message.data;
    const { team, customer, feature } = message.origin;
    const content = `${JSON.stringify({ ...message.data, team, customer, feature }, undefined, 2)}\n`;
    const file = `${digestOf(documentId)}.json`;
    await mkdir(resultsDirectory, { recursive: true });
    const temporary = join(resultsDirectory, `.${file}.${digestOf(content)}`);
    await writeFile(temporary, content, { signal: ctx.signal });
    await rename(temporary, join(resultsDirectory, file));
    ctx.emit(DocumentStored.v1, { documentId, file });
    return { file };
  }
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 24);
}
