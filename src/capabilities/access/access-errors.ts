import { declareErrors } from '../../kernel/declared-errors.ts';

/** Why a caller cannot be identified for now. */
export const accessErrors = declareErrors({
  MILLRACE_IDENTITY_PROVIDER_UNAVAILABLE: {
    status: 503,
    retryable: true,
    what: 'The signing keys of the identity provider could not be read, so that tokens of people cannot be checked. API keys work on.',
    todo: 'Look whether the provider is reachable from this process, and at `access.oidc.issuer` and `access.oidc.jwksUrl`; the log says what failed.',
  },
});
