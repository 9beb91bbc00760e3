import type { Uuid } from '../kernel/ids.ts';

/* Who calls, as the API key says. */

/** What a key allows. `admin` allows everything, within the key's team when it has one. */
export const apiScopes = [
  'costs:read',
  'messages:read',
  'messages:data',
  'messages:write',
  'operations:read',
  'operations:write',
  'erasures:write',
  'keys:write',
  'admin',
] as const;
export type ApiScope = (typeof apiScopes)[number];

/** Who calls. */
export interface ApiKeyIdentity {
  readonly id: Uuid;
  readonly name: string;
  readonly scopes: readonly ApiScope[];
  /** When set, the caller sees and acts for this team only. */
  readonly team?: string;
}

/** Who calls where nobody has to say who it is. */
export const anyone: ApiKeyIdentity = {
  id: '00000000-0000-0000-0000-000000000000',
  name: 'local',
  scopes: apiScopes,
};

/** Whose share of what all callers have in common a caller uses. Undefined where callers have no key. */
export function shareOf({ id }: Pick<ApiKeyIdentity, 'id'>): Uuid | undefined {
  return id === anyone.id ? undefined : id;
}

/** What a caller may see of what belongs to teams: what it asks for, within its own team when it has one. */
export interface CallerView {
  readonly team?: string;
  /** Whose share of the reports at once it counts to. Absent: nobody's. */
  readonly id?: Uuid;
}

/** Whether the scopes of a caller allow what needs the given one. Whoever may operate may look. */
export function hasScope({ scopes }: Pick<ApiKeyIdentity, 'scopes'>, scope: ApiScope): boolean {
  if (scopes.includes(scope) || scopes.includes('admin')) return true;
  return scope === 'operations:read' && scopes.includes('operations:write');
}
