/** `keys`: every route that asks for a scope needs an API key. `none`: open, for callers on this machine only. */
export type AuthenticationMode = 'keys' | 'none';

/** The injection token of the mode. */
export const authenticationModeToken = Symbol('millrace:authentication-mode');
