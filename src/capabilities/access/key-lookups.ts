import type { SqlDatabase } from '../../drivers/sql-database/sql-database.ts';
import type { ApiKeyIdentity, ApiScope, KeyTier } from '../../http/api-key-identity.ts';
import type { Clock } from '../../kernel/clock.ts';
import { GroupCommit } from '../../kernel/group-commit.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { findKeys, findKeysById } from './api-key-sql.ts';
import { digestOf, isKey, isSameDigest } from './key-secret.ts';

/*
 * Whose a key is. The ledger is asked for every request, so that a key that is revoked or whose time is over is refused by every process
 * from that moment on: nothing that says yes is remembered. Requests that come together are asked for together, one statement at a time,
 * so that many cost the ledger little more than one. That a key is unknown is remembered for a few seconds: who asks with one again and
 * again costs nothing.
 */

export interface KeyLookupsOptions {
  readonly database: SqlDatabase;
  readonly clock: Clock;
  /** How long it is remembered that a key is unknown. Default 5 seconds. */
  readonly unknownMs?: number;
}

/** What of a key's row its holder is known by. */
export interface IdentityRow {
  readonly id: Uuid;
  readonly name: string;
  readonly scopes: readonly ApiScope[];
  readonly team: string | null;
  readonly customer: string | null;
  readonly feature: string | null;
  readonly tier: KeyTier | null;
  readonly requests_per_minute: number | null;
}

const maxUnknownKeys = 10_000;

export class KeyLookups {
  readonly #clock: Clock;
  readonly #unknownMs: number;
  readonly #lookups: GroupCommit<string, ApiKeyIdentity | undefined>;
  readonly #lookupsById: GroupCommit<Uuid, ApiKeyIdentity | undefined>;
  /** Until when a digest counts as unknown. */
  readonly #unknown = new Map<string, number>();

  constructor({ database, clock, unknownMs = 5_000 }: KeyLookupsOptions) {
    this.#clock = clock;
    this.#unknownMs = unknownMs;
    this.#lookups = new GroupCommit({
      name: 'API key',
      clock,
      maxGroup: 500,
      maxWaiting: 10_000,
      flush: (digests) => findAll(database, digests),
    });
    this.#lookupsById = new GroupCommit({
      name: 'API key of a token',
      clock,
      maxGroup: 500,
      maxWaiting: 10_000,
      flush: (ids) => findAllById(database, ids),
    });
  }

  /** Whose key this is; undefined when it is unknown, revoked or over. */
  async find(key: string): Promise<ApiKeyIdentity | undefined> {
    if (!isKey(key)) return undefined;
    const digest = digestOf(key);
    const untilMs = this.#unknown.get(digest);
    const nowMs = this.#clock.monotonicMs();
    if (untilMs !== undefined && untilMs > nowMs) return undefined;
    this.#unknown.delete(digest);
    const identity = await this.#lookups.submit(digest);
    if (identity === undefined) this.#remember(digest, nowMs + this.#unknownMs);
    return identity;
  }

  /** The key of this id; undefined when it is unknown, revoked or over. */
  findById(id: Uuid): Promise<ApiKeyIdentity | undefined> {
    return this.#lookupsById.submit(id);
  }

  /** The key is there now. */
  forget(digest: string): void {
    this.#unknown.delete(digest);
  }

  #remember(digest: string, untilMs: number): void {
    const [oldest] = this.#unknown.keys();
    if (this.#unknown.size >= maxUnknownKeys && oldest !== undefined) this.#unknown.delete(oldest);
    this.#unknown.set(digest, untilMs);
  }
}

async function findAll(
  database: SqlDatabase,
  digests: readonly string[],
): Promise<readonly (ApiKeyIdentity | undefined)[]> {
  const { rows } = await database.query<IdentityRow & { readonly key_hash: string }>(findKeys, [
    [...new Set(digests)],
  ]);
  const found = new Map(rows.map((row) => [row.key_hash, row]));
  return digests.map((digest) => {
    const row = found.get(digest);
    return row !== undefined && isSameDigest(row.key_hash, digest) ? identityOf(row) : undefined;
  });
}

async function findAllById(
  database: SqlDatabase,
  ids: readonly Uuid[],
): Promise<readonly (ApiKeyIdentity | undefined)[]> {
  const { rows } = await database.query<IdentityRow>(findKeysById, [[...new Set(ids)]]);
  const found = new Map(rows.map((row) => [row.id, identityOf(row)]));
  return ids.map((id) => found.get(id));
}

/** The holder of the key. */
export function identityOf(row: IdentityRow): ApiKeyIdentity {
  const { id, name, scopes, team, customer, feature, tier, requests_per_minute: requestsPerMinute } = row;
  return {
    id,
    name,
    scopes,
    ...(team === null ? {} : { team }),
    ...(customer === null ? {} : { customer }),
    ...(feature === null ? {} : { feature }),
    ...(tier === null ? {} : { tier }),
    ...(requestsPerMinute === null ? {} : { requestsPerMinute }),
  };
}
