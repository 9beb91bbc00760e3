import type { CapabilityContext, CapabilityParts } from '../capability.ts';
import { ApiKeys } from './api-keys.ts';
import { AuditLog } from './audit-log.ts';

/** Composes what identifies callers. */
export function openAccess({ database, clock }: CapabilityContext<unknown>): CapabilityParts {
  return {
    services: [
      [ApiKeys, new ApiKeys({ database, clock })],
      [AuditLog, new AuditLog(database)],
    ],
  };
}
