import type { EmbeddingModelV4, LanguageModelV4, LanguageModelV4CallOptions } from '@ai-sdk/provider';
import { promptText } from '../engine/providers/prompt-text.ts';

const callHeader = 'x-millrace-call-id';

/** What models were asked, by the call that the ledger has of it. */
export class RecordedPrompts {
  readonly #byCall = new Map<string, string>();

  ofCall(callId: string): string | undefined {
    return this.#byCall.get(callId);
  }

  /** The model, with what it is asked remembered. It sees the request as it sees it without the test kit. */
  watch(model: LanguageModelV4 | EmbeddingModelV4): LanguageModelV4 | EmbeddingModelV4 {
    return 'doEmbed' in model ? this.#watchEmbedding(model) : this.#watchLanguage(model);
  }

  #watchLanguage(model: LanguageModelV4): LanguageModelV4 {
    const told = (options: LanguageModelV4CallOptions): LanguageModelV4CallOptions =>
      this.#remember(options, promptText(options));
    return {
      specificationVersion: model.specificationVersion,
      provider: model.provider,
      modelId: model.modelId,
      supportedUrls: model.supportedUrls,
      doGenerate: (options) => model.doGenerate(told(options)),
      doStream: (options) => model.doStream(told(options)),
    };
  }

  #watchEmbedding(model: EmbeddingModelV4): EmbeddingModelV4 {
    return {
      specificationVersion: model.specificationVersion,
      provider: model.provider,
      modelId: model.modelId,
      maxEmbeddingsPerCall: model.maxEmbeddingsPerCall,
      supportsParallelCalls: model.supportsParallelCalls,
      doEmbed: (options) => model.doEmbed(this.#remember(options, options.values.join('\n'))),
    };
  }

  #remember<Options extends { headers?: Record<string, string | undefined> | undefined }>(
    options: Options,
    prompt: string,
  ): Options {
    const headers = Object.entries(options.headers ?? {});
    const callId = headers.find(([name]) => name === callHeader)?.[1];
    if (callId !== undefined) this.#byCall.set(callId, prompt);
    const others = headers.filter(([name]) => !name.startsWith('x-millrace-'));
    return { ...options, headers: others.length === 0 ? undefined : Object.fromEntries(others) };
  }
}
