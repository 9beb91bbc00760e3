import { applyDecorators, createParamDecorator, type ExecutionContext, SetMetadata } from '@nestjs/common';
import { ApiExtension } from '@nestjs/swagger';
import { invariant } from '../kernel/invariant.ts';
import type { ApiKeyIdentity, ApiScope } from './api-key-identity.ts';

/* Who calls, between the guard that finds it out and the controllers that ask. */

const callers = new WeakMap<object, ApiKeyIdentity>();

/** Finds out whose request it is. */
export interface CallerIdentification {
  /** Throws MILLRACE_UNAUTHENTICATED or MILLRACE_FORBIDDEN. */
  identify(request: object): Promise<ApiKeyIdentity>;
}

/** The injection token of the one that the application has. */
export const callerIdentificationToken = Symbol('millrace:caller-identification');

/** The metadata key under which a route's scope lies. */
export const requiredScopeKey = 'millrace:required-scope';

/** The member of an operation in the OpenAPI document that says its scope. */
export const requiredScopeExtension = 'x-millrace-scope';

/** Marks a route, or all of a controller, as open only to callers with this scope, and says so in the OpenAPI document. */
export function RequireScope(scope: ApiScope): ClassDecorator & MethodDecorator {
  return applyDecorators(SetMetadata(requiredScopeKey, scope), ApiExtension(requiredScopeExtension, scope));
}

/** Notes who makes the request. */
export function rememberCaller(request: object, identity: ApiKeyIdentity): void {
  callers.set(request, identity);
}

/** A controller's parameter: who makes the request. Only on routes with `RequireScope`. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): ApiKeyIdentity => {
  const identity = callers.get(context.switchToHttp().getRequest<object>());
  invariant(identity !== undefined, 'a route that asks for its caller is marked with RequireScope');
  return identity;
});
