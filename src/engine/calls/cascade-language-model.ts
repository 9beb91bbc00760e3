import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4GenerateResult,
  LanguageModelV4StreamResult,
} from '@ai-sdk/provider';
import { failedStream, streamOf } from './answer-streams.ts';
import type { MeteredLanguageModel } from './metered-language-model.ts';
import { answerOfResult, streamPartsOfAnswer } from './recorded-answer.ts';

/** Models of a cascade in the order in which they are asked. */
export interface CascadeModels {
  /** Those before the last: one at least. */
  readonly smaller: readonly MeteredLanguageModel[];
  readonly last: MeteredLanguageModel;
}

/**
 * Several metered models as one: each is asked when the answers of those before it did not do. Every request is a call of its own, and
 * what became of each answer is recorded with it, so that a later run of the message takes the same way.
 */
export class CascadeLanguageModel implements LanguageModelV4 {
  readonly specificationVersion = 'v4';
  readonly provider: string;
  readonly modelId: string;
  readonly #models: CascadeModels;

  constructor(models: CascadeModels) {
    this.#models = models;
    this.provider = models.last.provider;
    this.modelId = models.last.modelId;
  }

  /** None where several vendors may have to answer: the SDK then fetches files itself and hands over their bytes. */
  get supportedUrls(): LanguageModelV4['supportedUrls'] {
    const { smaller, last } = this.#models;
    return smaller.every((model) => model.provider === last.provider) ? last.supportedUrls : {};
  }

  async doGenerate(options: LanguageModelV4CallOptions): Promise<LanguageModelV4GenerateResult> {
    return (await this.#askSmaller(options)) ?? (await this.#models.last.doGenerate(options));
  }

  /**
   * A smaller model's answer is streamed when it is whole and accepted: nothing of an answer that is not may reach the handler. Never
   * rejects, as streams of metered models do not.
   */
  async doStream(options: LanguageModelV4CallOptions): Promise<LanguageModelV4StreamResult> {
    let accepted: LanguageModelV4GenerateResult | undefined;
    try {
      accepted = await this.#askSmaller(options);
    } catch (error) {
      return { stream: failedStream(error) };
    }
    if (accepted === undefined) return await this.#models.last.doStream(options);
    return { stream: streamOf(streamPartsOfAnswer(answerOfResult(accepted))) };
  }

  /** The answer of a smaller model that is accepted; undefined when none is. */
  async #askSmaller(options: LanguageModelV4CallOptions): Promise<LanguageModelV4GenerateResult | undefined> {
    const { includeRawChunks: _raw, ...asked } = options;
    for (const model of this.#models.smaller) {
      const result = await model.generateUnlessEscalated(asked);
      if (result !== undefined) return result;
    }
    return undefined;
  }
}
