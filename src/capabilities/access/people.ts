import type { ApiKeyIdentity } from '../../http/api-key-identity.ts';
import { AppError } from '../../kernel/app-error.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { OidcSettings } from './access-settings.ts';
import { personOfClaims } from './person-of-claims.ts';
import { ProviderKeys } from './provider-keys.ts';

/* People, by the tokens of an OpenID Connect provider: who signed a token, for whom it is, whether its time is over. */

export interface PeopleOptions {
  /** Absent, or without an issuer: there are keys only. */
  readonly settings?: OidcSettings;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'warn'>;
}

const tokenPattern = /^[\w-]+\.[\w-]+\.[\w-]*$/;
const maxTokenLength = 8192;

/** Verifies tokens of people. */
export class People {
  readonly #settings: OidcSettings | undefined;
  readonly #clock: Clock;
  readonly #keys: ProviderKeys | undefined;

  constructor({ settings, clock, logger }: PeopleOptions) {
    this.#settings = settings;
    this.#clock = clock;
    const { issuer, jwksUrl } = settings ?? {};
    this.#keys = issuer === undefined ? undefined : new ProviderKeys({ issuer, jwksUrl, clock, logger });
  }

  /** Whether it has the form of a token, and tokens are accepted. */
  isToken(text: string): boolean {
    return this.#keys !== undefined && tokenPattern.test(text);
  }

  /**
   * Whose token it is, for the team that the request names. Throws MILLRACE_UNAUTHENTICATED for a token that is not valid,
   * MILLRACE_FORBIDDEN where it names no team, and MILLRACE_IDENTITY_PROVIDER_UNAVAILABLE.
   */
  async verify(token: string, chosenTeam: string | undefined): Promise<ApiKeyIdentity> {
    const [settings, keys] = [this.#settings, this.#keys];
    if (settings?.issuer === undefined || settings.audience === undefined || keys === undefined)
      throw refusal('Tokens are not accepted here.');
    if (token.length > maxTokenLength)
      throw refusal(`The token is longer than ${maxTokenLength} characters.`);
    const { jwtVerify, errors } = await import('jose');
    try {
      const { payload } = await jwtVerify(token, (header, input) => keys.find(header, input), {
        issuer: settings.issuer,
        audience: settings.audience,
        algorithms: [...settings.algorithms],
        clockTolerance: settings.clockToleranceSeconds,
        maxTokenAge: settings.maxTokenSeconds,
        requiredClaims: ['exp', 'iat', 'sub'],
        currentDate: this.#clock.now(),
      });
      return personOfClaims(payload, chosenTeam, settings);
    } catch (error) {
      if (error instanceof errors.JWTExpired) throw refusal('The token is over.');
      if (error instanceof errors.JWTClaimValidationFailed)
        throw refusal(`The token's claim "${error.claim}" is not as it must be.`);
      if (error instanceof errors.JOSEError)
        throw refusal(
          'The token is not signed by a key of the provider, or not by an algorithm that is accepted.',
        );
      throw error;
    }
  }
}

function refusal(message: string): AppError {
  return new AppError('MILLRACE_UNAUTHENTICATED', message);
}
