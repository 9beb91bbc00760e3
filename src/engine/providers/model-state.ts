import { AppError } from '../../kernel/app-error.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Pricer } from '../../pricing/price.ts';
import type { ProviderRegistry } from './provider-registry.ts';

/** Whether a model can be asked, and what it costs be said: `unknown` is no model of a configured provider. */
export type ModelState = 'priced' | 'unpriced' | 'unknown';

export interface ModelStateSources {
  readonly providers: Pick<ProviderRegistry, 'languageModel' | 'embeddingModel'>;
  readonly pricer: Pick<Pricer, 'price'>;
  readonly clock: Pick<Clock, 'now'>;
}

/** The state of "provider/model" now. */
export function stateOfModel(reference: string, { providers, pricer, clock }: ModelStateSources): ModelState {
  const target = findModel(reference, providers);
  if (target === undefined) return 'unknown';
  const question = {
    provider: target.priceProvider,
    model: target.modelId,
    at: clock.now(),
    tier: 'default',
    batch: false,
  };
  return pricer.price(question, { uncached_input: 1 }).kind;
}

function findModel(reference: string, providers: ModelStateSources['providers']) {
  for (const find of [() => providers.languageModel(reference), () => providers.embeddingModel(reference)]) {
    try {
      return find();
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
    }
  }
  return undefined;
}
