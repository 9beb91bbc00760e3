import { z } from 'zod';
import { apiScopes } from '../../http/api-key-identity.ts';
import { isLoopbackHost } from '../../http/loopback.ts';
import { commaList, setting, urlOf, wholeNumber } from '../../kernel/setting.ts';

/** Signatures that only the holder of a private key can make. Those by a shared secret, and none at all, cannot be named. */
const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const;

const address = urlOf('https:', 'http:').refine(
  (text) => new URL(text).protocol === 'https:' || isLoopbackHost(new URL(text).host),
  'must begin with https://, unless it is on this machine',
);
const claim = z.string().min(1).max(256);
const text = z.string().min(1).max(512);

/** The settings of who may use the API beside the holders of keys. */
export const accessSettings = z
  .strictObject({
    oidc: z
      .strictObject({
        issuer: setting(address.optional(), {
          env: 'MILLRACE_OIDC_ISSUER',
          help: 'The OpenID Connect provider whose tokens people may use instead of API keys, as its tokens name it (`iss`). Without it there are API keys only.',
        }),
        audience: setting(text.optional(), {
          env: 'MILLRACE_OIDC_AUDIENCE',
          help: 'For whom tokens must be made out (`aud`). Required with an issuer.',
        }),
        jwksUrl: setting(address.optional(), {
          env: 'MILLRACE_OIDC_JWKS_URL',
          help: "Where the provider's signing keys are. Without it where its `/.well-known/openid-configuration` says.",
        }),
        algorithms: setting(commaList(z.enum(algorithms)).default(['RS256', 'PS256', 'ES256', 'EdDSA']), {
          env: 'MILLRACE_OIDC_ALGORITHMS',
          help: 'By which algorithms tokens may be signed.',
        }),
        clockToleranceSeconds: setting(wholeNumber(0, 300).default(30), {
          env: 'MILLRACE_OIDC_CLOCK_TOLERANCE_SECONDS',
          help: "How far the provider's clock may be from this one.",
        }),
        maxTokenSeconds: setting(wholeNumber(60, 2_592_000).default(86_400), {
          env: 'MILLRACE_OIDC_MAX_TOKEN_SECONDS',
          help: 'A token that was issued (`iat`) longer ago is refused, whatever it says of its own end.',
        }),
        nameClaim: setting(claim.default('email'), {
          env: 'MILLRACE_OIDC_NAME_CLAIM',
          help: 'What a person is called in the audit; without that claim the subject (`sub`).',
        }),
        scopesClaim: setting(claim.default('groups'), {
          env: 'MILLRACE_OIDC_SCOPES_CLAIM',
          help: 'The claim whose values `grants` names: a list, or words with spaces between them. Points lead into objects, as in `realm_access.roles`.',
        }),
        grants: setting(z.record(text, z.array(z.enum(apiScopes)).min(1).max(apiScopes.length)).default({}), {
          help: 'The scopes that each value of `scopesClaim` gives, as in `{"llm-operators": ["messages:read", "operations:write"]}`.',
        }),
        teamClaim: setting(claim.default('team'), {
          env: 'MILLRACE_OIDC_TEAM_CLAIM',
          help: 'The claim that names the team, or several.',
        }),
        teams: setting(z.record(text, z.string().min(1).max(128)).optional(), {
          help: 'The team that each value of `teamClaim` means; others mean none. Without it a value is the name of the team.',
        }),
        allTeams: setting(commaList(text).default([]), {
          env: 'MILLRACE_OIDC_ALL_TEAMS',
          help: 'Values of `scopesClaim` whose holders see and act for every team.',
        }),
      })
      .prefault({}),
  })
  .prefault({});

export type AccessSettings = z.output<typeof accessSettings>;
export type OidcSettings = AccessSettings['oidc'];
