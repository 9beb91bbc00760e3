import type { ProviderBatchLimits } from './split-requests.ts';

/** Whose batches are run, and how the provider is reached. */
export interface ProviderBatchAccount {
  /** A provider of the configuration. */
  readonly name: string;
  readonly kind: 'openai' | 'anthropic';
  readonly apiKey: string;
  /** As models of the provider are reached: "https://api.openai.com/v1". Default the provider's own. */
  readonly baseUrl?: string | undefined;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly limits?: Partial<ProviderBatchLimits> | undefined;
  /** How long one request may take until its answer begins, uploads included. Default 5 minutes. */
  readonly requestTimeoutMs?: number | undefined;
}

/** The providers' own limits; in bytes less than those, since Anthropic's requests are one body in memory. */
const limitsOfKind: Readonly<Record<ProviderBatchAccount['kind'], ProviderBatchLimits>> = {
  openai: { maxRequests: 50_000, maxBytes: 190 * 1024 * 1024, enqueuedTokens: {} },
  anthropic: { maxRequests: 100_000, maxBytes: 64 * 1024 * 1024, enqueuedTokens: {} },
};

/** What fits every provider. */
export const smallestLimits: ProviderBatchLimits = {
  maxRequests: limitsOfKind.openai.maxRequests,
  maxBytes: limitsOfKind.anthropic.maxBytes,
  enqueuedTokens: {},
};

/** What one batch of the account may hold. */
export function limitsOf({ kind, limits }: ProviderBatchAccount): ProviderBatchLimits {
  return { ...limitsOfKind[kind], ...limits };
}

export const defaultRequestTimeoutMs = 5 * 60 * 1000;
