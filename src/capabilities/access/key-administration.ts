import { z } from 'zod';
import { AppError } from '../../kernel/app-error.ts';
import { type ApiKeyIdentity, type ApiScope, apiScopes, hasScope } from '../../http/api-key-identity.ts';
import { actorOf } from '../../http/operator.ts';
import type { ApiKeyEntry, ApiKeys, NewApiKey } from './api-keys.ts';

/* Keys by keys: what the holder of one may do with others. No key leads to rights that its holder has not. */

const keyShape = {
  id: z.uuid(),
  name: z.string(),
  scopes: z.array(z.enum(apiScopes)),
  team: z.string().optional().describe('The key sees and acts for this team only.'),
};

export const keyRequestSchema = z.strictObject({
  name: z.string().min(1).max(128).describe('What the key is for.'),
  scopes: z.array(z.enum(apiScopes)).min(1).max(apiScopes.length).describe('None that the caller has not.'),
  team: z.string().min(1).max(128).optional().describe('A caller who is bound to a team names that team.'),
  reason: z.string().max(500).default('').describe('Why; it stands in the audit.'),
});

export const revokeKeySchema = z.strictObject({ reason: z.string().max(500).default('') });

export const newKeySchema = z.object({
  ...keyShape,
  key: z.string().describe('The key itself. It is shown this once.'),
});

export const keyListSchema = z.object({
  keys: z
    .array(
      z.object({
        ...keyShape,
        createdAt: z.iso.datetime(),
        revokedAt: z.iso.datetime().optional().describe('Absent while the key is good.'),
      }),
    )
    .describe('The oldest comes first.'),
});

export const revokedKeySchema = z.object({ ...keyShape, revoked: z.literal(true) });

export type NewKeyDocument = z.output<typeof newKeySchema>;
export type KeyList = z.output<typeof keyListSchema>;
export type RevokedKeyDocument = z.output<typeof revokedKeySchema>;

export class KeyAdministration {
  readonly #keys: ApiKeys;

  constructor(keys: ApiKeys) {
    this.#keys = keys;
  }

  /** The keys that the caller may see: those of the caller's team, or all. */
  async list(caller: Pick<ApiKeyIdentity, 'team'>): Promise<KeyList> {
    return { keys: (await this.#keys.list(caller)).map((entry) => documentOf(entry)) };
  }

  /** Makes a key with no more rights than the caller has. Throws MILLRACE_FORBIDDEN and MILLRACE_REQUEST_INVALID. */
  async create(
    { name, scopes, team }: NewApiKey,
    caller: ApiKeyIdentity,
    reason: string,
  ): Promise<NewKeyDocument> {
    requireCovered(caller, { scopes, team });
    const wanted = { name, scopes, ...(team === undefined ? {} : { team }) };
    const { id, key } = await this.#keys.create(wanted, { actor: actorOf(caller), reason });
    return { id, ...wanted, scopes: [...scopes], key };
  }

  /** Ends a key. Throws MILLRACE_NOT_FOUND where the caller sees no good one, and MILLRACE_FORBIDDEN for one with wider rights. */
  async revoke(id: string, caller: ApiKeyIdentity, reason: string): Promise<RevokedKeyDocument> {
    const entry = await this.#keys.find(id);
    const isSeen = entry !== undefined && (caller.team === undefined || caller.team === entry.team);
    if (!isSeen) throw missing(id);
    requireCovered(caller, entry);
    if (!(await this.#keys.revoke(id, { actor: actorOf(caller), reason }))) throw missing(id);
    const { name, scopes, team } = entry;
    return { id, name, scopes: [...scopes], ...(team === undefined ? {} : { team }), revoked: true };
  }
}

/** Refuses rights that the caller has not. */
function requireCovered(
  caller: ApiKeyIdentity,
  { scopes, team }: { readonly scopes: readonly ApiScope[]; readonly team?: string | undefined },
): void {
  const wider = scopes.filter((scope) => !hasScope(caller, scope));
  if (wider.length > 0) {
    throw new AppError(
      'MILLRACE_FORBIDDEN',
      `This API key lacks ${wider.join(', ')}, and gives or takes no such right.`,
    );
  }
  if (caller.team !== undefined && caller.team !== team) {
    throw new AppError(
      'MILLRACE_FORBIDDEN',
      `This API key belongs to the team "${caller.team}": name that team.`,
    );
  }
}

function missing(id: string): AppError {
  return new AppError('MILLRACE_NOT_FOUND', `There is no key ${JSON.stringify(id)} that could be revoked.`);
}

function documentOf({ createdAt, revokedAt, scopes, ...rest }: ApiKeyEntry): KeyList['keys'][number] {
  return {
    ...rest,
    scopes: [...scopes],
    createdAt: createdAt.toISOString(),
    ...(revokedAt === undefined ? {} : { revokedAt: revokedAt.toISOString() }),
  };
}
