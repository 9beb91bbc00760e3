import { AppError } from '../kernel/app-error.ts';
import type { Uuid } from '../kernel/ids.ts';

/* Who calls, as the API key says, or the token of a person. */

/** What a key allows. `admin` allows everything, within the key's team when it has one. */
export const apiScopes = [
  'costs:read',
  'messages:read',
  'messages:data',
  'messages:write',
  'requests:read',
  'requests:write',
  'operations:read',
  'operations:write',
  'schedules:read',
  'schedules:write',
  'erasures:write',
  'keys:write',
  'audit:read',
  'gateway:use',
  'webhooks:read',
  'webhooks:write',
  'usage:write',
  'admin',
] as const;
export type ApiScope = (typeof apiScopes)[number];

/** Plans of the holders of keys. */
export const keyTiers = ['paid', 'free'] as const;
export type KeyTier = (typeof keyTiers)[number];

/** Who calls: the holder of an API key, or a person whom an identity provider vouches for. */
export interface ApiKeyIdentity {
  /** Of the key; of a person the same as long as the provider names the same subject. */
  readonly id: Uuid;
  /** Absent: a key. */
  readonly kind?: 'person';
  readonly name: string;
  readonly scopes: readonly ApiScope[];
  /** When set, the caller sees and acts for this team only. */
  readonly team?: string;
  /** When set, its requests are this customer's, and it sees no other's. */
  readonly customer?: string;
  /** The same of the product feature. */
  readonly feature?: string;
  /** The plan of its holder. */
  readonly tier?: KeyTier;
  /** The most requests in a minute by one process, where the key has a limit of its own. */
  readonly requestsPerMinute?: number;
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

/** Refuses what a caller who is bound to one team wants of another. Throws MILLRACE_FORBIDDEN. */
export function assertTeamAllowed(caller: ApiKeyIdentity, team: string): void {
  if (caller.team === undefined || caller.team === team) return;
  throw new AppError(
    'MILLRACE_FORBIDDEN',
    `This API key belongs to the team "${caller.team}" and cannot be used for another.`,
  );
}

/**
 * Refuses an origin that the caller's key does not allow: of another team, or of another customer or feature than the ones that it is for. Throws MILLRACE_FORBIDDEN.
 */
export function assertOriginAllowed(
  caller: ApiKeyIdentity,
  origin: { readonly team: string; readonly customer: string; readonly feature: string },
): void {
  assertTeamAllowed(caller, origin.team);
  for (const what of ['customer', 'feature'] as const) {
    const own = caller[what];
    if (own === undefined || own === origin[what]) continue;
    throw new AppError(
      'MILLRACE_FORBIDDEN',
      `This API key is for the ${what} "${own}" and cannot be used for another.`,
    );
  }
}
