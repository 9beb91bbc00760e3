import type { Capability } from '../capability.ts';
import { ApiKeys } from './api-keys.ts';

/** API keys, their scopes and teams, and the guard of every route. Without it the API serves health and metrics only. */
export const access: Capability<unknown> = {
  name: 'access',
  http: async () => (await import('./access.http.ts')).httpPart,
  open: ({ database, clock }) => ({ services: [[ApiKeys, new ApiKeys({ database, clock })]] }),
};
