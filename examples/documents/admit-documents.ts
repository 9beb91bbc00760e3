import type { Millrace } from '../../src/millrace.ts';
import type { FoundDocument } from './find-documents.ts';
import { DocumentListed } from './messages.ts';
import { originOf } from './origin-rule.ts';

export interface AdmitDocumentsOptions {
  /** The run they belong to: the same document in the same run is admitted once, however often this is called. */
  readonly batch: string;
  /** How many are admitted at once. */
  readonly concurrency: number;
  /** No further ones are admitted after it aborts. */
  readonly signal?: AbortSignal;
  readonly onAdmitted?: () => void;
}

/** Admits the documents without waiting for their results. Answers how many of them were new. */
export async function admitDocuments(
  millrace: Millrace,
  documents: readonly FoundDocument[],
  { batch, concurrency, signal, onAdmitted }: AdmitDocumentsOptions,
): Promise<number> {
  const waiting = documents.values();
  let admitted = 0;
  const admitOneByOne = async (): Promise<void> => {
    for (const { id, file } of waiting) {
      if (signal?.aborted === true) return;
      const { outcome } = await millrace.admit(
        DocumentListed.v1,
        { documentId: id, file },
        { origin: originOf(id, batch), source: `documents/${encodeURIComponent(batch)}`, id, item: id },
      );
      if (outcome === 'admitted') admitted += 1;
      onAdmitted?.();
    }
  };
  await Promise.all(Array.from({ length: concurrency }, admitOneByOne));
  return admitted;
}
