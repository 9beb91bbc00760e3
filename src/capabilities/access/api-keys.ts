import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import {
  type ApiKeyIdentity,
  type ApiScope,
  apiScopes,
  type KeyTier,
  keyTiers,
} from '../../http/api-key-identity.ts';
import { parseRequest } from '../../http/request-faults.ts';
import type { Clock } from '../../kernel/clock.ts';
import { isUuid, newId, type Uuid } from '../../kernel/ids.ts';
import { isPrintableName, notPrintable } from '../../kernel/printable-name.ts';
import * as sql from './api-key-sql.ts';
import { type IdentityRow, identityOf, KeyLookups } from './key-lookups.ts';
import { digestOf, newKey } from './key-secret.ts';

/* API keys in the ledger: made, listed, replaced, revoked, each with its entry in the audit. */

/** A key as it is listed; the key itself is never shown again. */
export interface ApiKeyEntry extends ApiKeyIdentity {
  readonly createdAt: Date;
  /** From when it is refused by itself. */
  readonly expiresAt?: Date;
  readonly revokedAt?: Date;
  /** The key that it was made to replace. */
  readonly replaces?: Uuid;
}

export interface NewApiKey {
  readonly name: string;
  readonly scopes: readonly ApiScope[];
  readonly team?: string | undefined;
  /** Of every request that it makes. */
  readonly customer?: string | undefined;
  readonly feature?: string | undefined;
  readonly tier?: KeyTier | undefined;
  readonly expiresAt?: Date | undefined;
  /** By one process, over all routes. Absent: as configured. */
  readonly requestsPerMinute?: number | undefined;
}

/** How a key is replaced. */
export interface KeyRotation {
  /** For how long both keys are good. */
  readonly overlapMs: number;
  /** When the new one ends. Absent: after as long a time as the old one had from its making, if it has an end. */
  readonly expiresAt?: Date | undefined;
}

/** A key that follows another, this once with the key itself. */
export interface RotatedKey {
  readonly entry: ApiKeyEntry;
  readonly key: string;
  /** When the key that it replaces is refused. */
  readonly replacedUntil: Date;
}

/** Who makes or ends a key, and why, for the audit. */
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
  /** How long it is remembered that a key is unknown. Default 5 seconds. */
  readonly unknownMs?: number;
  /** Default: the operating system's. */
  readonly random?: (bytes: number) => Uint8Array;
}

/** The most requests in a minute that a key may have of its own. */
export const maxRequestsPerMinute = 100_000_000;
/** For how long a key and the one that replaces it may both be good. */
export const maxOverlapMs = 30 * 86_400_000;

const shortText = z
  .string()
  .min(1)
  .max(128)
  .refine(isPrintableName, notPrintable)
  .refine((text) => text.trim() === text, 'must not begin or end with white space');

const endOf = (now: Date) =>
  z
    .date()
    .refine((end) => end > now, 'must be in the future')
    .refine((end) => end.getUTCFullYear() <= 9999, 'must be in a year up to 9999')
    .optional();

const newKeySchema = (now: Date) =>
  z.strictObject({
    // A colon would make an actor of the audit, key:NAME:ID, read as another.
    name: shortText.refine((text) => !text.includes(':'), 'must not contain a colon'),
    scopes: z
      .array(z.enum(apiScopes))
      .min(1)
      .refine((scopes) => new Set(scopes).size === scopes.length, 'must not repeat a scope'),
    team: shortText.optional(),
    customer: shortText.optional(),
    feature: shortText.optional(),
    tier: z.enum(keyTiers).optional(),
    expiresAt: endOf(now),
    requestsPerMinute: z.int().min(1).max(maxRequestsPerMinute).optional(),
  });

const rotationSchema = (now: Date) =>
  z.strictObject({ overlapMs: z.number().min(0).max(maxOverlapMs), expiresAt: endOf(now) });

interface ApiKeyRow extends IdentityRow {
  readonly created_at: Date;
  readonly expires_at: Date | null;
  readonly revoked_at: Date | null;
  readonly replaces: Uuid | null;
}

export class ApiKeys {
  readonly #database: SqlDatabase;
  readonly #clock: Clock;
  readonly #random: (bytes: number) => Uint8Array;
  readonly #lookups: KeyLookups;

  constructor({ random = randomBytes, ...options }: ApiKeysOptions) {
    this.#database = options.database;
    this.#clock = options.clock;
    this.#random = random;
    this.#lookups = new KeyLookups(options);
  }

  /** Makes a key. The answer is the only place where it can ever be read. Throws MILLRACE_REQUEST_INVALID. */
  async create(
    wanted: NewApiKey,
    by: KeyOperator = inCode,
  ): Promise<{ readonly id: Uuid; readonly key: string }> {
    const now = this.#clock.now();
    const { name, scopes, team, customer, feature, tier, expiresAt, requestsPerMinute } = parseRequest(
      newKeySchema(now),
      wanted,
    );
    const id = newId(now);
    const key = newKey(this.#random);
    const digest = digestOf(key);
    await this.#database.query(sql.insertKey, [
      id,
      name,
      digest,
      scopes,
      team,
      expiresAt,
      requestsPerMinute,
      customer,
      feature,
      tier,
      newId(now),
      by.actor,
      by.reason,
    ]);
    this.#lookups.forget(digest);
    return { id, key };
  }

  /** Whose key this is; undefined when it is unknown, revoked, or its time is over. */
  verify(key: string): Promise<ApiKeyIdentity | undefined> {
    return this.#lookups.find(key);
  }

  /** The key of this id, for what was made with it; undefined when it is unknown, revoked, or its time is over. */
  verifyId(id: Uuid): Promise<ApiKeyIdentity | undefined> {
    return this.#lookups.findById(id);
  }

  /** Every key ever made, oldest first; of one team only for a viewer who is bound to it. */
  list({ team }: { readonly team?: string | undefined } = {}): Promise<readonly ApiKeyEntry[]> {
    return this.#entries(undefined, team);
  }

  /** One key as it is listed. */
  async find(id: Uuid): Promise<ApiKeyEntry | undefined> {
    return isUuid(id) ? (await this.#entries(id, undefined))[0] : undefined;
  }

  /**
   * Makes a key with the rights of a good one, which ends after the overlap; undefined when there is no good one of this id. Throws
   * MILLRACE_REQUEST_INVALID.
   */
  async rotate(id: Uuid, rotation: KeyRotation, by: KeyOperator = inCode): Promise<RotatedKey | undefined> {
    const now = this.#clock.now();
    const { overlapMs, expiresAt } = parseRequest(rotationSchema(now), rotation);
    if (!isUuid(id)) return undefined;
    const key = newKey(this.#random);
    const { rows } = await this.#database.query<ApiKeyRow & { readonly ends_at: Date }>(sql.rotateKey, [
      id,
      newId(now),
      digestOf(key),
      expiresAt,
      overlapMs,
      newId(now),
      by.actor,
      by.reason,
    ]);
    const [row] = rows;
    return row && { entry: entryOf(row), key, replacedUntil: row.ends_at };
  }

  /** Ends a key at once, for every process. False when there is none to end. */
  async revoke(id: Uuid, by: KeyOperator = inCode): Promise<boolean> {
    if (!isUuid(id)) return false;
    const { affected } = await this.#database.query(sql.revokeKey, [
      id,
      newId(this.#clock.now()),
      by.actor,
      by.reason,
    ]);
    return affected > 0;
  }

  async #entries(id: Uuid | undefined, team: string | undefined): Promise<readonly ApiKeyEntry[]> {
    const { rows } = await this.#database.query<ApiKeyRow>(sql.listKeys, [id, team]);
    return rows.map((row) => entryOf(row));
  }
}

function entryOf(row: ApiKeyRow): ApiKeyEntry {
  return {
    ...identityOf(row),
    createdAt: row.created_at,
    ...(row.expires_at === null ? {} : { expiresAt: row.expires_at }),
    ...(row.revoked_at === null ? {} : { revokedAt: row.revoked_at }),
    ...(row.replaces === null ? {} : { replaces: row.replaces }),
  };
}
