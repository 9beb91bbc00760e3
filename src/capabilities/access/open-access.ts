import { AppError } from '../../kernel/app-error.ts';
import type { CapabilityContext, CapabilityParts } from '../capability.ts';
import type { AccessSettings, OidcSettings } from './access-settings.ts';
import { ApiKeys } from './api-keys.ts';
import { AuditLog } from './audit-log.ts';
import { People } from './people.ts';

/** Composes what identifies callers, and what shows the audit. Throws MILLRACE_CONFIG_INVALID for an issuer without an audience. */
export function openAccess({
  settings: {
    access: { oidc },
  },
  database,
  clock,
  logger,
}: CapabilityContext<{ readonly access: AccessSettings }>): CapabilityParts {
  assertWhole(oidc);
  return {
    services: [
      [ApiKeys, new ApiKeys({ database, clock })],
      [AuditLog, new AuditLog(database)],
      [People, new People({ settings: oidc, clock, logger })],
    ],
  };
}

/** A token that is made out to nobody in particular would be good for every service of the provider. */
function assertWhole({ issuer, audience }: OidcSettings): void {
  if (issuer === undefined || audience !== undefined) return;
  const problem = 'is required with access.oidc.issuer';
  throw new AppError('MILLRACE_CONFIG_INVALID', `access.oidc.audience: ${problem}`, {
    faults: [{ field: 'access.oidc.audience', problem }],
  });
}
