import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import { named } from '../../drivers/sql-database/sql-statement.ts';
import { recordAction } from '../../engine/ledger/operator-action.ts';
import type { Clock } from '../../kernel/clock.ts';
import { isUuid, newId, type Uuid } from '../../kernel/ids.ts';
import { isPrintableName, notPrintable } from '../../kernel/printable-name.ts';
import { type ApiKeyIdentity, type ApiScope, apiScopes } from '../../http/api-key-identity.ts';
import { parseRequest } from '../../http/request-faults.ts';

/*
 * API keys. A key is 256 random bits, shown once; the ledger keeps its SHA-256 only, which needs neither salt nor
 * slow hashing because the key cannot be guessed. A verified key is remembered for a few seconds, so that a busy
 * client costs the ledger one look in that time; a key revoked elsewhere is refused after it at the latest. That a key is
 * unknown is remembered as long, so that who asks with one again and again costs no more.
 */

/** A key as it is listed; the key itself is never shown again. */
export interface ApiKeyEntry extends ApiKeyIdentity {
  readonly createdAt: Date;
  readonly revokedAt?: Date;
}

export interface NewApiKey {
  readonly name: string;
  readonly scopes: readonly ApiScope[];
  readonly team?: string;
}

/** Who makes or revokes a key, and why, for the audit. */
export interface KeyOperator {
  readonly actor: string;
  /** Empty when nobody said. */
  readonly reason: string;
}

/** A key that is made by a program. */
const inCode: KeyOperator = { actor: 'code', reason: '' };

export interface ApiKeysOptions {
  readonly database: SqlDatabase;
  readonly clock: Clock;
  /** How long a verified key is trusted without a look into the ledger. Default 5 seconds. */
  readonly cacheMs?: number;
  /** Default: the operating system's. */
  readonly random?: (bytes: number) => Uint8Array;
}

const maxCachedKeys = 10_000;
const secretLength = 43;
const keyPattern = /^mr_[0-9A-Za-z]{43}$/;
const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

const shortText = z
  .string()
  .min(1)
  .max(128)
  .refine(isPrintableName, notPrintable)
  .refine((text) => text.trim() === text, 'must not begin or end with white space');

const newKeySchema = z.strictObject({
  name: shortText,
  scopes: z
    .array(z.enum(apiScopes))
    .min(1)
    .refine((scopes) => new Set(scopes).size === scopes.length, 'must not repeat a scope'),
  team: shortText.optional(),
});

/** $1 id, $2 name, $3 hash, $4 scopes, $5 team; $6 the audit's id, $7 actor, $8 reason. */
const insertKey = named(
  'costs.insert_api_key',
  `with made as (
     insert into millrace.api_keys (id, name, key_hash, scopes, team) values ($1::uuid, $2, $3, $4::text[], $5)
     returning id, name, scopes, team)
   ${recordAction({
     id: '$6::uuid',
     actor: '$7',
     action: "'keys.create'",
     target: "'key ' || name",
     detail: "json_build_object('key', id, 'scopes', scopes, 'team', team)",
     reason: '$8',
     team: 'team',
     from: 'made',
   })}`,
);
const findKey = named(
  'costs.find_api_key',
  `select id, name, scopes, team, created_at, revoked_at from millrace.api_keys
   where key_hash = $1 and revoked_at is null`,
);
/** $1 an id, or null for all; $2 the only team that is shown, or null. */
const listKeys = named(
  'costs.list_api_keys',
  `select id, name, scopes, team, created_at, revoked_at from millrace.api_keys
   where ($1::uuid is null or id = $1::uuid) and ($2::text is null or team = $2::text) order by created_at, id`,
);
/** $1 id; $2 the audit's id, $3 actor, $4 reason. */
const revokeKey = named(
  'costs.revoke_api_key',
  `with revoked as (
     update millrace.api_keys set revoked_at = clock_timestamp() where id = $1::uuid and revoked_at is null
     returning id, name, scopes, team)
   ${recordAction({
     id: '$2::uuid',
     actor: '$3',
     action: "'keys.revoke'",
     target: "'key ' || name",
     detail: "json_build_object('key', id, 'scopes', scopes, 'team', team)",
     reason: '$4',
     team: 'team',
     from: 'revoked',
   })}`,
);

interface ApiKeyRow {
  readonly id: Uuid;
  readonly name: string;
  readonly scopes: readonly ApiScope[];
  readonly team: string | null;
  readonly created_at: Date;
  readonly revoked_at: Date | null;
}

interface CachedKey {
  /** Undefined: there is no such key. */
  readonly identity: ApiKeyIdentity | undefined;
  readonly untilMs: number;
}

export class ApiKeys {
  readonly #database: SqlDatabase;
  readonly #clock: Clock;
  readonly #cacheMs: number;
  readonly #random: (bytes: number) => Uint8Array;
  readonly #cache = new Map<string, CachedKey>();
  /** Apart from the known ones, which strangers must not push out. */
  readonly #unknown = new Map<string, CachedKey>();

  constructor({ database, clock, cacheMs = 5_000, random = randomBytes }: ApiKeysOptions) {
    this.#database = database;
    this.#clock = clock;
    this.#cacheMs = cacheMs;
    this.#random = random;
  }

  /** Makes a key. The answer is the only place where it can ever be read. Throws MILLRACE_REQUEST_INVALID. */
  async create(
    wanted: NewApiKey,
    by: KeyOperator = inCode,
  ): Promise<{ readonly id: Uuid; readonly key: string }> {
    const { name, scopes, team } = parseRequest(newKeySchema, wanted);
    const now = this.#clock.now();
    const id = newId(now);
    const key = `mr_${randomText(this.#random, secretLength)}`;
    const digest = digestOf(key);
    await this.#database.query(insertKey, [id, name, digest, scopes, team, newId(now), by.actor, by.reason]);
    this.#unknown.delete(digest);
    return { id, key };
  }

  /** Whose key this is; undefined when it is unknown or revoked. */
  async verify(key: string): Promise<ApiKeyIdentity | undefined> {
    if (!keyPattern.test(key)) return undefined;
    const digest = digestOf(key);
    const cached = this.#cache.get(digest) ?? this.#unknown.get(digest);
    if (cached !== undefined && cached.untilMs > this.#clock.monotonicMs()) return cached.identity;
    this.#cache.delete(digest);
    this.#unknown.delete(digest);
    // The time is taken before the look, so that a revocation during it is not outlived by more than the cache time.
    const untilMs = this.#clock.monotonicMs() + this.#cacheMs;
    const { rows } = await this.#database.query<ApiKeyRow>(findKey, [digest]);
    const [row] = rows;
    const identity = row === undefined ? undefined : identityOf(row);
    remember(identity === undefined ? this.#unknown : this.#cache, digest, { identity, untilMs });
    return identity;
  }

  /** Every key ever made, oldest first; of one team only for a viewer who is bound to it. */
  list({ team }: { readonly team?: string | undefined } = {}): Promise<readonly ApiKeyEntry[]> {
    return this.#entries(undefined, team);
  }

  /** One key as it is listed. */
  async find(id: Uuid): Promise<ApiKeyEntry | undefined> {
    return isUuid(id) ? (await this.#entries(id, undefined))[0] : undefined;
  }

  /** Ends a key: at once in this process, within the cache time in others. False when there is none to end. */
  async revoke(id: Uuid, by: KeyOperator = inCode): Promise<boolean> {
    if (!isUuid(id)) return false;
    const { affected } = await this.#database.query(revokeKey, [
      id,
      newId(this.#clock.now()),
      by.actor,
      by.reason,
    ]);
    for (const [digest, { identity }] of this.#cache) {
      if (identity?.id === id) this.#cache.delete(digest);
    }
    return affected > 0;
  }

  async #entries(id: Uuid | undefined, team: string | undefined): Promise<readonly ApiKeyEntry[]> {
    const { rows } = await this.#database.query<ApiKeyRow>(listKeys, [id, team]);
    return rows.map((row) => ({
      ...identityOf(row),
      createdAt: row.created_at,
      ...(row.revoked_at === null ? {} : { revokedAt: row.revoked_at }),
    }));
  }
}

function remember(cache: Map<string, CachedKey>, digest: string, entry: CachedKey): void {
  const [oldest] = cache.keys();
  if (cache.size >= maxCachedKeys && oldest !== undefined) cache.delete(oldest);
  cache.set(digest, entry);
}

function identityOf(row: ApiKeyRow): ApiKeyIdentity {
  return { id: row.id, name: row.name, scopes: row.scopes, ...(row.team === null ? {} : { team: row.team }) };
}

function digestOf(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

/** Letters and digits, each as likely as any other: bytes past the last whole multiple of 62 are thrown away. */
function randomText(random: (bytes: number) => Uint8Array, length: number): string {
  const fair = 256 - (256 % alphabet.length);
  let text = '';
  while (text.length < length) {
    for (const byte of random(length)) {
      if (byte < fair && text.length < length) text += alphabet.charAt(byte % alphabet.length);
    }
  }
  return text;
}
