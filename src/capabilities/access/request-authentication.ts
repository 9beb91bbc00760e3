import { anyone, type ApiKeyIdentity, hasScope } from '../../http/api-key-identity.ts';
import type { ApiKeys } from './api-keys.ts';
import type { People } from './people.ts';
import { teamHeader } from './person-of-claims.ts';
import { AppError } from '../../kernel/app-error.ts';
import { isLoopbackAddress, isLoopbackHost } from '../../http/loopback.ts';
import type { AuthenticationMode } from '../../http/authentication-mode.ts';
import type { CallerIdentification } from '../../http/caller.ts';
import type { UrlTokens } from '../../http/url-tokens.ts';
import { headerOf, remoteAddressOf } from '../../http/request-facts.ts';

const bearer = /^Bearer +([\w.~+/-]+=*) *$/i;

/** Finds out who makes a request: once for each, however often it is asked. */
export class RequestAuthentication implements CallerIdentification {
  readonly #keys: ApiKeys;
  readonly #people: People;
  readonly #mode: AuthenticationMode;
  readonly #urlTokens: UrlTokens | undefined;
  readonly #known = new WeakMap<object, ApiKeyIdentity>();

  constructor(keys: ApiKeys, people: People, mode: AuthenticationMode, urlTokens?: UrlTokens) {
    this.#urlTokens = urlTokens;
    this.#keys = keys;
    this.#people = people;
    this.#mode = mode;
  }

  /** Whose request it is. Throws MILLRACE_UNAUTHENTICATED, or MILLRACE_FORBIDDEN without keys for callers elsewhere. */
  async identify(request: object): Promise<ApiKeyIdentity> {
    const known = this.#known.get(request);
    if (known !== undefined) return known;
    const identity = this.#mode === 'none' ? localCaller(request) : await this.#bearer(request);
    this.#known.set(request, identity);
    return identity;
  }

  async #bearer(request: object): Promise<ApiKeyIdentity> {
    const byToken = await this.#urlTokens?.identify(request);
    if (byToken !== undefined) return await this.#ofToken(byToken);
    const header = headerOf(request, 'authorization');
    if (header === undefined) throw unauthenticated('The request carries no API key.');
    const text = bearer.exec(header)?.[1];
    if (text === undefined)
      throw unauthenticated('The Authorization header is not "Bearer" with an API key.');
    if (this.#people.isToken(text)) return await this.#people.verify(text, headerOf(request, teamHeader));
    const identity = await this.#keys.verify(text);
    if (identity === undefined)
      throw unauthenticated('The API key is unknown or revoked, or its time is over.');
    return identity;
  }

  /** A token is good as long as the key that it was made with is, and allows what that allows at most. */
  async #ofToken(token: ApiKeyIdentity): Promise<ApiKeyIdentity> {
    // Nobody is asked about people: their own tokens cannot be revoked either.
    if (token.kind === 'person') return token;
    const key = await this.#keys.verifyId(token.id);
    if (key === undefined) throw unauthenticated('The API key of the token is revoked, or its time is over.');
    return { ...key, scopes: token.scopes.filter((scope) => hasScope(key, scope)) };
  }
}

/**
 * The Host header is looked at as well: a web page in a browser on this machine can reach a loopback address, but only
 * under the page's own name.
 */
function localCaller(request: object): ApiKeyIdentity {
  const address = remoteAddressOf(request);
  const host = headerOf(request, 'host');
  if (address !== undefined && isLoopbackAddress(address) && host !== undefined && isLoopbackHost(host)) {
    return anyone;
  }
  throw new AppError(
    'MILLRACE_FORBIDDEN',
    'Authentication is off: only requests from and to this machine are served.',
  );
}

function unauthenticated(message: string): AppError {
  return new AppError('MILLRACE_UNAUTHENTICATED', message);
}
