import type { Capability } from '../capability.ts';
import { accessErrors } from './access-errors.ts';
import { accessSettings } from './access-settings.ts';

/** API keys and tokens of people, their scopes and teams, the guard of every route, and the audit. Without it the API serves health and metrics only. */
export const access = {
  name: 'access',
  configuration: { access: accessSettings },
  errors: accessErrors,
  http: async () => (await import('./access.http.ts')).httpPart,
  open: async () => (await import('./open-access.ts')).openAccess,
} as const satisfies Capability;
