import type { EmbeddingModelV4, LanguageModelV4 } from '@ai-sdk/provider';
import type { Pricer } from '../../pricing/price.ts';
import type { ModelTarget, ProviderRegistry } from '../providers/provider-registry.ts';

type RateLimitStore = ReturnType<Pricer['limits']>;

/** The models that may be asked: by reference, with their stand-ins and their sizes. */
export class ModelDirectory {
  readonly #registry: ProviderRegistry;
  readonly #pricer: Pick<Pricer, 'limits'>;
  readonly #fallbacks: Readonly<Record<string, string>>;
  /** The registry hands out the same target for the same reference, and a model's sizes do not change. */
  readonly #limits = new WeakMap<ModelTarget<unknown>, RateLimitStore>();

  /** `fallbacks`: "provider/model" by "provider/model". Fails with MILLRACE_MODEL_UNKNOWN now, not when one is needed. */
  constructor(
    registry: ProviderRegistry,
    pricer: Pick<Pricer, 'limits'>,
    fallbacks: Readonly<Record<string, string>> = {},
  ) {
    for (const reference of Object.entries(fallbacks).flat()) registry.languageModel(reference);
    this.#registry = registry;
    this.#pricer = pricer;
    this.#fallbacks = fallbacks;
  }

  /** The language model of "provider/model". Throws MILLRACE_MODEL_UNKNOWN. */
  languageModel(reference: string): ModelTarget<LanguageModelV4> {
    return this.#registry.languageModel(reference);
  }

  /** Who stands in for it, by reference: the one that is asked for, else the configured one; false for nobody. Throws MILLRACE_MODEL_UNKNOWN. */
  fallbackOf(reference: string, asked: string | false | undefined): string | undefined {
    const fallback = asked ?? this.#fallbacks[reference];
    if (fallback === undefined || fallback === false) return undefined;
    this.#registry.languageModel(fallback);
    return fallback;
  }

  /** The embedding model of "provider/model". Throws MILLRACE_MODEL_UNKNOWN. */
  embeddingModel(reference: string): ModelTarget<EmbeddingModelV4> {
    return this.#registry.embeddingModel(reference);
  }

  /** What the catalogue knows about a model's sizes, remembered. */
  limitsOf(target: ModelTarget<unknown>): RateLimitStore {
    let limits = this.#limits.get(target);
    if (limits === undefined) {
      limits = this.#pricer.limits(target.priceProvider, target.modelId);
      this.#limits.set(target, limits);
    }
    return limits;
  }
}
