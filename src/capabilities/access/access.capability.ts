import type { Capability } from '../capability.ts';

/** API keys, their scopes and teams, and the guard of every route. Without it the API serves health and metrics only. */
export const access = {
  name: 'access',
  http: async () => (await import('./access.http.ts')).httpPart,
  open: async () => (await import('./open-access.ts')).openAccess,
} as const satisfies Capability;
