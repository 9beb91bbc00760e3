/** The forms of a batch's output, with their media types and the ends of their files' names; the first one where none is asked for. */
export const outputFormats = {
  jsonl: { mediaType: 'application/x-ndjson', extension: 'jsonl' },
  parquet: { mediaType: 'application/vnd.apache.parquet', extension: 'parquet' },
} as const;

export type OutputFormat = keyof typeof outputFormats;

export const outputFormatNames: readonly OutputFormat[] = ['jsonl', 'parquet'];
