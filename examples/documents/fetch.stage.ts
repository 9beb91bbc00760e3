import { readFile } from 'node:fs/promises';
import { defineStage, type MessageOf, Stage, type StageContext } from '../../src/millrace.ts';
import { DocumentFetched, DocumentListed, titleOf } from './messages.ts';

/** What follows after this many characters would not change a summary. */
const maxCharacters = 40_000;

export const fetchDocument = defineStage('fetch', {
  pipeline: 'documents',
  owner: 'knowledge',
  consumes: DocumentListed.upTo(1),
  emits: [DocumentFetched.v2],
  retry: { attempts: 2, backoff: ['250ms'] },
});

@Stage(fetchDocument)
export class FetchStage {
  async handle(message: MessageOf<typeof fetchDocument>, ctx: StageContext): Promise<void> {
    const { documentId, file } = message.data;
    const content = await readFile(file, { encoding: 'utf8', signal: ctx.signal });
    // What could not be stored or sent as text is made harmless here, once for all that follow.
    const text = content.slice(0, maxCharacters).replaceAll('\u0000', '').toWellFormed();
    ctx.emit(DocumentFetched.v2, { documentId, title: titleOf(text), text });
  }
}
