import { createMillraceApp } from '../../src/millrace.ts';
import { admitDocuments } from './admit-documents.ts';
import { DocumentsModule } from './documents.module.ts';
import { findPackageTexts } from './find-documents.ts';

/*
 * Admits the texts of the packages around it and ends: workers elsewhere do the work. The same batch again admits only
 * what is new.
 *
 *   MILLRACE_ROLES=api … node admission-command.js <batch> <limit>
 */

const [batch = 'first', limit = '100'] = process.argv.slice(2);
const found = await findPackageTexts(import.meta.dirname);
if (found.kind !== 'found') throw new Error(`There are no documents in ${found.folder}.`);
const app = await createMillraceApp({ imports: [DocumentsModule], http: false });
try {
  const documents = found.documents.slice(0, Number(limit));
  const admitted = await admitDocuments(app.millrace, documents, { batch, concurrency: 8 });
  console.log(`${documents.length} documents, ${admitted} of them new`);
} finally {
  await app.close();
}
