import type { EmbeddingModelV4Embedding } from '@ai-sdk/provider';
import { InvalidOutput } from '../invalid-output.ts';
import { asRecord } from '../providers/token-usage.ts';

/*
 * Whether vectors that came are those that were asked for: one for each value, in the order of the values, all of one
 * length, of finite numbers. Anything else is an answer of no use: given again, it would be so for ever.
 */

/** What is wrong with the vectors, as the error that the handler gets; undefined when they are good. */
export function faultOfEmbeddings(
  embeddings: readonly EmbeddingModelV4Embedding[],
  asked: number,
  step: string,
): InvalidOutput | undefined {
  const fault = faultIn(embeddings, asked);
  return fault === undefined
    ? undefined
    : new InvalidOutput(`The vectors of step "${step}" are of no use: ${fault}`, { step, isMarked: true });
}

/**
 * The vectors in the order of the values: some providers answer in another one and say so by an index. Undefined when
 * the indices contradict each other.
 */
export function inAskedOrder(
  embeddings: readonly EmbeddingModelV4Embedding[],
  body: unknown,
): readonly EmbeddingModelV4Embedding[] | undefined {
  const data = asRecord(body)?.['data'];
  if (!Array.isArray(data) || data.length !== embeddings.length) return embeddings;
  const indices = data.map((item: unknown) => asRecord(item)?.['index']);
  // Imitators that count nothing write nothing, or the same everywhere.
  if (new Set(indices).size === 1) return embeddings;
  const ordered: EmbeddingModelV4Embedding[] = [];
  for (let index = 0; index < embeddings.length; index += 1) {
    const vector = embeddings[indices.indexOf(index)];
    if (vector === undefined) return undefined;
    ordered.push(vector);
  }
  return ordered;
}

function faultIn(embeddings: readonly EmbeddingModelV4Embedding[], asked: number): string | undefined {
  if (embeddings.length !== asked) return `${asked} were asked for, ${embeddings.length} came`;
  const length = embeddings[0]?.length;
  for (const vector of embeddings) {
    if (vector.length === 0) return 'one is empty';
    if (vector.length !== length) return `one has ${vector.length} numbers, another ${length}`;
    if (!vector.every((value) => Number.isFinite(value))) return 'one has a value that is no finite number';
  }
  return undefined;
}
