import { z } from 'zod';
import { defineMessage } from '../../src/millrace.ts';

/* What travels between the stages. A document is known by its id: its path within the folder. */

/** What a document can be about. */
export const topics = ['library', 'tooling', 'licence', 'networking', 'data', 'testing', 'other'] as const;

const listed = z.object({ documentId: z.string(), file: z.string() });

const fetchedFirst = z.object({ documentId: z.string(), text: z.string() });
const fetched = fetchedFirst.extend({ title: z.string() });

const summarised = z.object({ documentId: z.string(), title: z.string(), summary: z.string() });

/** What the model says about a summary. */
export const classification = z.object({
  topic: z.enum(topics),
  keywords: z.array(z.string()).describe('Up to five words that a reader would search for.'),
});

export const DocumentListed = defineMessage('document.listed').version(1, listed);

/** Version 2 brought the title. A message of version 1 that is still under way gets the first line of its text. */
export const DocumentFetched = defineMessage('document.fetched')
  .version(1, fetchedFirst)
  .version(2, fetched, (first) => ({ ...first, title: titleOf(first.text) }));

export const DocumentSummarised = defineMessage('document.summarised').version(1, summarised);

export const DocumentClassified = defineMessage('document.classified').version(
  1,
  summarised.extend(classification.shape),
);

/** The end of the pipeline: nothing consumes it here. */
export const DocumentStored = defineMessage('document.stored').version(
  1,
  z.object({ documentId: z.string(), file: z.string() }),
);

const maxTitleLength = 120;

/** A document's first line that says something, without the marks of a heading. */
export function titleOf(text: string): string {
  const lines = text.split('\n').map((line) => line.replace(/^[#=*\s]+/, '').trim());
  return (lines.find((line) => /\p{L}/u.test(line)) ?? 'Untitled').slice(0, maxTitleLength).toWellFormed();
}
