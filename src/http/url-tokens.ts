import type { ApiKeyIdentity } from './api-key-identity.ts';

/** Finds out whose request it is by a token in its URL, for clients that cannot send headers. Good for one resource only. */
export interface UrlTokens {
  /** Undefined for a request that carries none, or none that is good there. */
  identify(request: object): Promise<ApiKeyIdentity | undefined>;
}

/** The injection token of those that the application has, if any. */
export const urlTokensToken = Symbol('millrace:url-tokens');
