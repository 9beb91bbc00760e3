import type { EmbeddingModelV4, EmbeddingModelV4CallOptions, EmbeddingModelV4Result } from '@ai-sdk/provider';
import { ScriptedEmbeddingModel } from '../../src/testing/scripted-model.ts';

/** What happens to a request before it is answered. It may wait, throw, or answer itself. */
export type BeforeAnswer = (
  options: EmbeddingModelV4CallOptions,
) => Promise<EmbeddingModelV4Result | undefined> | EmbeddingModelV4Result | undefined;

/** A scripted embedding model whose requests meet something first. */
export class EmbeddingDouble implements EmbeddingModelV4 {
  readonly specificationVersion = 'v4';
  readonly provider = 'scripted';
  readonly modelId = 'text-embedding-3-small';
  readonly supportsParallelCalls = true;
  readonly maxEmbeddingsPerCall: number;
  /** The texts of every request, in order. */
  readonly asked: string[][] = [];
  readonly #before: BeforeAnswer;
  readonly #answering = new ScriptedEmbeddingModel();

  constructor(before: BeforeAnswer = () => undefined, maxEmbeddingsPerCall = 100) {
    this.#before = before;
    this.maxEmbeddingsPerCall = maxEmbeddingsPerCall;
  }

  async doEmbed(options: EmbeddingModelV4CallOptions): Promise<EmbeddingModelV4Result> {
    this.asked.push(options.values);
    return (await this.#before(options)) ?? (await this.#answering.doEmbed(options));
  }
}
