import { type ProviderConfig, ProviderRegistry } from '../engine/providers/provider-registry.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { readOverlayFile } from '../pricing/overlay.ts';
import { packagedPriceBook } from '../pricing/packaged-price-book.ts';
import type { Pricer } from '../pricing/price.ts';
import type { Configuration } from './configuration.ts';

/** The configured providers, and those given besides, with the prices that apply to them. */
export async function configuredModels(
  configuration: Configuration,
  more: Readonly<Record<string, ProviderConfig>> = {},
  clock: Clock = systemClock,
): Promise<{ readonly providers: ProviderRegistry; readonly pricer: Pricer }> {
  const { priceOverlay } = configuration.models;
  return {
    providers: await ProviderRegistry.open({ ...configuredProviders(configuration), ...more }, clock),
    pricer: packagedPriceBook(
      priceOverlay === undefined ? {} : { overlay: await readOverlayFile(priceOverlay) },
    ),
  };
}

/** The providers of the configuration: named ones, and the two whose keys are set. */
function configuredProviders({ models }: Configuration): Readonly<Record<string, ProviderConfig>> {
  const { openaiApiKey, anthropicApiKey, providers } = models;
  return {
    ...(openaiApiKey === undefined ? {} : { openai: { kind: 'openai' as const, apiKey: openaiApiKey } }),
    ...(anthropicApiKey === undefined
      ? {}
      : { anthropic: { kind: 'anthropic' as const, apiKey: anthropicApiKey } }),
    ...withoutUndefined(providers),
  };
}

function withoutUndefined(providers: Configuration['models']['providers']): Record<string, ProviderConfig> {
  return Object.fromEntries(
    Object.entries(providers).map(([name, provider]) => [
      name,
      Object.fromEntries(
        Object.entries(provider).filter(([, value]) => value !== undefined),
      ) as unknown as ProviderConfig,
    ]),
  );
}
