import { z } from 'zod';
import { AppError } from '../../kernel/app-error.ts';
import { isStorableText, storableProblem } from '../../kernel/storable-text.ts';
import { type ApiKeyIdentity, apiScopes, hasScope, keyTiers } from '../../http/api-key-identity.ts';
import { actorOf } from '../../http/operator.ts';
import {
  type ApiKeyEntry,
  type ApiKeys,
  type KeyOperator,
  type KeyRotation,
  maxOverlapMs,
  maxRequestsPerMinute,
  type NewApiKey,
} from './api-keys.ts';

/* Keys by keys: what the holder of one may do with others. No key leads to rights that its holder has not. */

const keyShape = {
  id: z.uuid(),
  name: z.string(),
  scopes: z.array(z.enum(apiScopes)),
  team: z.string().optional().describe('The key sees and acts for this team only.'),
  customer: z.string().optional().describe("Its requests are this customer's, and it sees no other's."),
  feature: z.string().optional().describe('The same of the product feature.'),
  tier: z
    .enum(keyTiers)
    .optional()
    .describe('The plan of its holder: the configuration says in which lane its requests are.'),
  expiresAt: z.iso.datetime().optional().describe('From when the key is refused by itself.'),
  requestsPerMinute: z.int().optional().describe('Over all routes, by one process. Absent: as configured.'),
};

const reasonField = z
  .string()
  .max(500)
  .refine(isStorableText, storableProblem)
  .default('')
  .describe('Why; it stands in the audit.');
/** When a key ends: a moment with its zone, read into a date. */
const moment = z.iso
  .datetime({ offset: true, error: 'is a time with its zone, as in "2027-03-01T00:00:00Z"' })
  .transform((text) => new Date(text));

export const keyRequestSchema = z.strictObject({
  name: z.string().min(1).max(128).describe('What the key is for; without a colon.'),
  scopes: z.array(z.enum(apiScopes)).min(1).max(apiScopes.length).describe('None that the caller has not.'),
  team: z.string().min(1).max(128).optional().describe('A caller who is bound to a team names that team.'),
  customer: z
    .string()
    .min(1)
    .max(128)
    .optional()
    .describe("Its requests are this customer's, and it sees no other's."),
  feature: z.string().min(1).max(128).optional().describe('The same of the product feature.'),
  tier: z
    .enum(keyTiers)
    .optional()
    .describe('The plan of its holder; never a better one than the caller has.'),
  expiresAt: moment
    .optional()
    .describe('From when the key is refused by itself. Absent: it is good until it is revoked.'),
  requestsPerMinute: z
    .int()
    .min(1)
    .max(maxRequestsPerMinute)
    .optional()
    .describe('Over all routes, by one process; never more than the caller has.'),
  reason: reasonField,
});

export const rotationRequestSchema = z.strictObject({
  overlapSeconds: z
    .int()
    .min(0)
    .max(maxOverlapMs / 1000)
    .default(86_400)
    .describe('For how long both keys are good.'),
  expiresAt: moment
    .optional()
    .describe('When the new key ends. Absent: after as long a time as the old one had, if it has an end.'),
  reason: reasonField,
});

export const revokeKeySchema = z.strictObject({ reason: reasonField });

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
        revokedAt: z.iso.datetime().optional().describe('Absent while nobody has revoked it.'),
        replaces: z.uuid().optional().describe('The key that this one was made to replace.'),
      }),
    )
    .describe('The oldest comes first.'),
});

export const rotatedKeySchema = z.object({
  ...keyShape,
  key: z.string().describe('The new key itself. It is shown this once.'),
  replaces: z.uuid().describe('The key that it replaces.'),
  replacedUntil: z.iso.datetime().describe('Until when that one is good.'),
});

export const revokedKeySchema = z.object({ ...keyShape, revoked: z.literal(true) });

export type NewKeyDocument = z.output<typeof newKeySchema>;
export type KeyList = z.output<typeof keyListSchema>;
export type RotatedKeyDocument = z.output<typeof rotatedKeySchema>;
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
  async create(wanted: NewApiKey, caller: ApiKeyIdentity, reason: string): Promise<NewKeyDocument> {
    const own = await this.#ownKey(caller);
    // What is not said is as the own key has it.
    const complete = {
      ...wanted,
      customer: wanted.customer ?? caller.customer,
      feature: wanted.feature ?? caller.feature,
      tier: wanted.tier ?? caller.tier,
      requestsPerMinute: wanted.requestsPerMinute ?? caller.requestsPerMinute,
      expiresAt: wanted.expiresAt ?? own?.expiresAt,
    };
    requireCovered(caller, complete);
    requireEndWithin(own, complete.expiresAt);
    const { id, key } = await this.#keys.create(complete, keyOperatorOf(caller, reason));
    return { ...rightsOf({ id, ...complete }), key };
  }

  /**
   * Makes a key that follows another, which ends after the overlap. Throws MILLRACE_NOT_FOUND where the caller sees no good one, and
   * MILLRACE_FORBIDDEN for one with wider rights.
   */
  async rotate(
    id: string,
    rotation: KeyRotation,
    caller: ApiKeyIdentity,
    reason: string,
  ): Promise<RotatedKeyDocument> {
    const replaced = await this.#findCovered(id, caller, 'replaced');
    const own = await this.#ownKey(caller);
    if (rotation.expiresAt !== undefined) requireEndWithin(own, rotation.expiresAt);
    else if (lifetimeOf(replaced) > lifetimeOf(own)) requireEndWithin(own, undefined);
    const rotated = await this.#keys.rotate(id, rotation, keyOperatorOf(caller, reason));
    if (rotated === undefined) throw missing(id, 'replaced');
    const { entry, key, replacedUntil } = rotated;
    return { ...rightsOf(entry), key, replaces: id, replacedUntil: replacedUntil.toISOString() };
  }

  /** Ends a key. Throws MILLRACE_NOT_FOUND where the caller sees no good one, and MILLRACE_FORBIDDEN for one with wider rights. */
  async revoke(id: string, caller: ApiKeyIdentity, reason: string): Promise<RevokedKeyDocument> {
    const entry = await this.#findCovered(id, caller, 'revoked');
    if (!(await this.#keys.revoke(id, keyOperatorOf(caller, reason)))) throw missing(id, 'revoked');
    return { ...rightsOf(entry), revoked: true };
  }

  /** The caller's own key; undefined for people, and where nobody has to say who it is. */
  async #ownKey({ id, kind }: ApiKeyIdentity): Promise<ApiKeyEntry | undefined> {
    return kind === 'person' ? undefined : await this.#keys.find(id);
  }

  /** The key, if the caller sees it and has all of its rights. */
  async #findCovered(id: string, caller: ApiKeyIdentity, aim: 'replaced' | 'revoked'): Promise<ApiKeyEntry> {
    const entry = await this.#keys.find(id);
    const isSeen = entry !== undefined && (caller.team === undefined || caller.team === entry.team);
    if (!isSeen) throw missing(id, aim);
    requireCovered(caller, entry);
    return entry;
  }
}

/** Refuses rights that the caller has not. */
function requireCovered(
  caller: ApiKeyIdentity,
  {
    scopes,
    team,
    customer,
    feature,
    tier,
    requestsPerMinute = Infinity,
  }: Omit<NewApiKey, 'name' | 'expiresAt'>,
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
  for (const [what, own, given] of [
    ['customer', caller.customer, customer],
    ['feature', caller.feature, feature],
  ] as const) {
    if (own !== undefined && own !== given)
      throw new AppError(
        'MILLRACE_FORBIDDEN',
        `This API key is for the ${what} "${own}", and gives or takes no right to others.`,
      );
  }
  if (caller.tier === 'free' && tier !== 'free')
    throw new AppError(
      'MILLRACE_FORBIDDEN',
      'This API key is in the plan "free", and gives or takes no other.',
    );
  if (requestsPerMinute > (caller.requestsPerMinute ?? Infinity)) {
    throw new AppError(
      'MILLRACE_FORBIDDEN',
      `This API key may make ${caller.requestsPerMinute} requests in a minute, and gives or takes no right to more.`,
    );
  }
}

/** A key that ends gives none that lasts longer: of its own successor, none that lasts longer than it was made for. */
function requireEndWithin(own: ApiKeyEntry | undefined, end: Date | undefined): void {
  const ownEnd = own?.expiresAt;
  if (ownEnd === undefined || (end !== undefined && end <= ownEnd)) return;
  throw new AppError(
    'MILLRACE_FORBIDDEN',
    `This API key ends at ${ownEnd.toISOString()}, and gives no key that lasts longer: name an earlier end (expiresAt).`,
  );
}

/** For how long a key was made, in milliseconds. */
function lifetimeOf(key: ApiKeyEntry | undefined): number {
  return key?.expiresAt === undefined
    ? Number.POSITIVE_INFINITY
    : key.expiresAt.getTime() - key.createdAt.getTime();
}

function keyOperatorOf(caller: ApiKeyIdentity, reason: string): KeyOperator {
  return { actor: actorOf(caller), reason };
}

function missing(id: string, aim: 'replaced' | 'revoked'): AppError {
  return new AppError('MILLRACE_NOT_FOUND', `There is no key ${JSON.stringify(id)} that could be ${aim}.`);
}

/** What a key allows, as documents show it. */
function rightsOf(key: NewApiKey & { readonly id: string }): Omit<NewKeyDocument, 'key'> {
  const { id, name, scopes, team, customer, feature, tier, expiresAt, requestsPerMinute } = key;
  return {
    id,
    name,
    scopes: [...scopes],
    ...(team === undefined ? {} : { team }),
    ...(customer === undefined ? {} : { customer }),
    ...(feature === undefined ? {} : { feature }),
    ...(tier === undefined ? {} : { tier }),
    ...(expiresAt === undefined ? {} : { expiresAt: expiresAt.toISOString() }),
    ...(requestsPerMinute === undefined ? {} : { requestsPerMinute }),
  };
}

function documentOf(entry: ApiKeyEntry): KeyList['keys'][number] {
  const { createdAt, revokedAt, replaces } = entry;
  return {
    ...rightsOf(entry),
    createdAt: createdAt.toISOString(),
    ...(revokedAt === undefined ? {} : { revokedAt: revokedAt.toISOString() }),
    ...(replaces === undefined ? {} : { replaces }),
  };
}
