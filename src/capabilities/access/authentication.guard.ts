import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { type ApiScope, hasScope } from '../../http/api-key-identity.ts';
import { rememberCaller, requiredScopeKey } from '../../http/caller.ts';
import { AppError } from '../../kernel/app-error.ts';
import { RequestAuthentication } from './request-authentication.ts';

/**
 * Lets a request pass when its API key has the scope that the route asks for, and notes whose key it is. Routes that
 * ask for none are not its business.
 */
@Injectable()
export class AuthenticationGuard implements CanActivate {
  readonly #authentication: RequestAuthentication;
  readonly #reflector: Reflector;

  constructor(
    @Inject(RequestAuthentication) authentication: RequestAuthentication,
    @Inject(Reflector) reflector: Reflector,
  ) {
    this.#authentication = authentication;
    this.#reflector = reflector;
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const targets = [context.getHandler(), context.getClass()];
    const scope = this.#reflector.getAllAndOverride<ApiScope | undefined>(requiredScopeKey, targets);
    if (scope === undefined) return true;
    const request = context.switchToHttp().getRequest<object>();
    const identity = await this.#authentication.identify(request);
    if (!hasScope(identity, scope)) {
      throw new AppError('MILLRACE_FORBIDDEN', `This API key lacks the scope "${scope}".`);
    }
    rememberCaller(request, identity);
    return true;
  }
}
