import type { ProviderConfig } from '../models/provider-registry.ts';
import type { Configuration } from './configuration.ts';

/** The providers of the configuration: named ones, and the two whose keys are set. */
export function configuredProviders({ models }: Configuration): Readonly<Record<string, ProviderConfig>> {
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
