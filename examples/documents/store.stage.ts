import { createHash, randomUUID } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Inject } from '@nestjs/common';
import { defineStage, type MessageOf, Stage, type StageContext } from '../../src/millrace.ts';
import { type DocumentsSettings, documentsSettings } from './documents-settings.ts';
import { DocumentClassified, DocumentStored } from './messages.ts';

export const store = defineStage('store', {
  pipeline: 'documents',
  owner: 'search',
  consumes: DocumentClassified.v1,
  emits: [DocumentStored.v1],
  retry: { maxAttempts: 5, backoff: ['500ms', '2s'] },
});

/**
 * Writes the result. A stage may run twice for one message (its process can die after the file was written), so what
 * it does outside of Millrace must come out the same: the file's name follows from team, customer and document, its content
 * from the message, and it appears whole or not at all. Two runs may even be at it side by side: each has a temporary file
 * of its own. Names come from senders, so no part of a path is taken as it is.
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
    const folder = folderOf(team);
    const name = `${digestOf(JSON.stringify([customer, documentId]))}.json`;
    await mkdir(join(resultsDirectory, folder), { recursive: true });
    const temporary = join(resultsDirectory, folder, `.${name}.${randomUUID()}`);
    try {
      await writeFile(temporary, content, { flag: 'wx', signal: ctx.signal });
      await rename(temporary, join(resultsDirectory, folder, name));
    } finally {
      await rm(temporary, { force: true });
    }
    const file = `${folder}/${name}`;
    ctx.emit(DocumentStored.v1, { documentId, file });
    return { file };
  }
}

/** Readable, and of no two teams the same. */
function folderOf(team: string): string {
  const readable = team
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 40);
  return `team-${readable}-${digestOf(team).slice(0, 12)}`;
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 24);
}
