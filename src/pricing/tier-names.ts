/*
 * Providers name their service tiers differently, and the standard one most of all. What is not here stays as it is:
 * a tier of that name has a price of its own, or none.
 */

/** Names of the standard tier, in lower case and with dashes for underscores. */
const standardNames: ReadonlySet<string> = new Set([
  '',
  'default',
  'standard',
  'standard-only',
  'auto',
  'on-demand',
  'unspecified',
  'service-tier-unspecified',
  'traffic-type-unspecified',
]);

/** Other names of tiers that have a price, by the provider whose prices apply. */
const otherNames: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  // https://openai.com/api-fast-mode/: priority processing was renamed fast mode on 2026-07-30.
  openai: { fast: 'priority' },
  azure: { fast: 'priority' },
  // https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest/v1/GenerateContentResponse: trafficType.
  google: { 'on-demand-priority': 'priority', 'on-demand-flex': 'flex' },
};

/** A tier in the words of prices: "default" for every name of the standard one. */
export function tierOf(name: string, provider = ''): string {
  const tier = name.trim().toLowerCase();
  const dashed = tier.replaceAll('_', '-');
  if (standardNames.has(dashed)) return 'default';
  return otherNames[provider]?.[dashed] ?? tier;
}

/**
 * A tier that is paid for by a commitment. Who has one states it as a price of this tier; without one its tokens cost
 * what standard ones do (https://openai.com/api-scale-tier/: tokens beyond the commitment are billed at the standard rate).
 */
export function isCommitmentTier(tier: string): boolean {
  return tier === 'scale';
}

/** A geography in the words of prices: "global" where the provider does not bind the request to one. */
export function geographyOf(name: string | undefined): string {
  const geography = (name ?? '').trim().toLowerCase();
  return geography === '' || geography === 'not_available' || geography === 'default' ? 'global' : geography;
}
