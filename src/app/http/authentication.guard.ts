import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ApiKeys, apiScopes, type ApiKeyIdentity, type ApiScope, hasScope } from '../../costs/api-keys.ts';
import { rememberCaller, requiredScopeKey } from '../../costs/caller.ts';
import { AppError } from '../../kernel/app-error.ts';
import { isLoopbackAddress, isLoopbackHost } from './loopback.ts';
import { headerOf, remoteAddressOf } from './request-facts.ts';

/** `keys`: every route that asks for a scope needs an API key. `none`: open, for callers on this machine only. */
export type AuthenticationMode = 'keys' | 'none';

/** The injection token of the mode. */
export const authenticationModeToken = Symbol('millrace:authentication-mode');

/** Who calls when nobody has to say so. */
const anyoneHere: ApiKeyIdentity = {
  id: '00000000-0000-0000-0000-000000000000',
  name: 'local',
  scopes: apiScopes,
};

const bearer = /^Bearer +([\w.~+/-]+=*) *$/i;

/**
 * Lets a request pass when its API key has the scope that the route asks for, and notes whose key it is. Routes that
 * ask for none are not its business.
 */
@Injectable()
export class AuthenticationGuard implements CanActivate {
  readonly #keys: ApiKeys;
  readonly #mode: AuthenticationMode;
  readonly #reflector: Reflector;

  constructor(
    @Inject(ApiKeys) keys: ApiKeys,
    @Inject(authenticationModeToken) mode: AuthenticationMode,
    @Inject(Reflector) reflector: Reflector,
  ) {
    this.#keys = keys;
    this.#mode = mode;
    this.#reflector = reflector;
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const targets = [context.getHandler(), context.getClass()];
    const scope = this.#reflector.getAllAndOverride<ApiScope | undefined>(requiredScopeKey, targets);
    if (scope === undefined) return true;
    const request = context.switchToHttp().getRequest<object>();
    const identity = this.#mode === 'none' ? localCaller(request) : await this.#keyHolder(request);
    if (!hasScope(identity, scope)) {
      throw new AppError('MILLRACE_FORBIDDEN', `This API key lacks the scope "${scope}".`);
    }
    rememberCaller(request, identity);
    return true;
  }

  async #keyHolder(request: object): Promise<ApiKeyIdentity> {
    const header = headerOf(request, 'authorization');
    if (header === undefined) throw unauthenticated('The request carries no API key.');
    const key = bearer.exec(header)?.[1];
    if (key === undefined) throw unauthenticated('The Authorization header is not "Bearer" with an API key.');
    const identity = await this.#keys.verify(key);
    if (identity === undefined) throw unauthenticated('The API key is unknown or revoked.');
    return identity;
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
    return anyoneHere;
  }
  throw new AppError(
    'MILLRACE_FORBIDDEN',
    'Authentication is off: only requests from and to this machine are served.',
  );
}

function unauthenticated(message: string): AppError {
  return new AppError('MILLRACE_UNAUTHENTICATED', message);
}
