import { named, plannedOnce } from '../../drivers/sql-database/sql-statement.ts';
import { recordAction } from '../../engine/ledger/operator-action.ts';

/* Every statement about API keys. A key is good until it is revoked, or its time is over on the database's clock. */

const columns =
  'k.id, k.name, k.scopes, k.team, k.customer, k.feature, k.tier, k.requests_per_minute, k.created_at, k.expires_at, k.revoked_at, k.replaces';
const isGood = 'k.revoked_at is null and (k.expires_at is null or k.expires_at > clock_timestamp())';
const described =
  "json_build_object('key', id, 'scopes', scopes, 'team', team, 'customer', customer, 'feature', feature, 'tier', tier, 'expiresAt', expires_at, 'requestsPerMinute', requests_per_minute)";

/** $1 digests: those of good keys, with whose they are. */
export const findKeys = plannedOnce(
  'access.find_api_keys',
  `select ${columns}, k.key_hash from millrace.api_keys k where k.key_hash = any($1::text[]) and ${isGood}`,
);

/** $1 ids: those of good keys, with whose they are. */
export const findKeysById = plannedOnce(
  'access.find_api_keys_by_id',
  `select ${columns} from millrace.api_keys k where k.id = any($1::uuid[]) and ${isGood}`,
);

/** $1 id, $2 name, $3 hash, $4 scopes, $5 team, $6 when it ends, $7 requests a minute, $8 customer, $9 feature, $10 tier; $11 the audit's id, $12 actor, $13 reason. */
export const insertKey = named(
  'access.insert_api_key',
  `with made as (
     insert into millrace.api_keys (id, name, key_hash, scopes, team, expires_at, requests_per_minute, customer, feature, tier)
     values ($1::uuid, $2, $3, $4::text[], $5, $6::timestamptz, $7::int, $8, $9, $10)
     returning id, name, scopes, team, expires_at, requests_per_minute, customer, feature, tier)
   ${recordAction({
     id: '$11::uuid',
     actor: '$12',
     action: "'keys.create'",
     target: "'key ' || name",
     detail: described,
     reason: '$13',
     team: 'team',
     from: 'made',
   })}`,
);

/** $1 an id, or null for all; $2 the only team that is shown, or null. */
export const listKeys = named(
  'access.list_api_keys',
  `select ${columns} from millrace.api_keys k
   where ($1::uuid is null or k.id = $1::uuid) and ($2::text is null or k.team = $2::text) order by k.created_at, k.id`,
);

/** $1 id; $2 the audit's id, $3 actor, $4 reason. */
export const revokeKey = named(
  'access.revoke_api_key',
  `with revoked as (
     update millrace.api_keys set revoked_at = clock_timestamp() where id = $1::uuid and revoked_at is null
     returning id, name, scopes, team, customer, feature, tier, expires_at, requests_per_minute)
   ${recordAction({
     id: '$2::uuid',
     actor: '$3',
     action: "'keys.revoke'",
     target: "'key ' || name",
     detail: described,
     reason: '$4',
     team: 'team',
     from: 'revoked',
   })}`,
);

/**
 * $1 id of a good key, $2 id and $3 hash of the one that follows it, $4 when that one ends, or null for as long a time as the first one
 * had from its making; $5 for how many milliseconds both are good; $6 the audit's id, $7 actor, $8 reason.
 */
export const rotateKey = named(
  'access.rotate_api_key',
  `with before as materialized (
     select ${columns} from millrace.api_keys k where k.id = $1::uuid and ${isGood} for update),
   ending as (
     update millrace.api_keys k
     set expires_at = least(b.expires_at, clock_timestamp() + $5::float8 * interval '1 millisecond')
     from before b where k.id = b.id returning k.id, k.expires_at as ends_at),
   made as (
     insert into millrace.api_keys as k (id, name, key_hash, scopes, team, customer, feature, tier, requests_per_minute, expires_at, replaces)
     select $2::uuid, name, $3, scopes, team, customer, feature, tier, requests_per_minute,
       coalesce($4::timestamptz, case when expires_at is not null
         then least(clock_timestamp() + (expires_at - created_at), timestamptz '9999-12-31 23:59:59.999+00') end), id
     from before returning ${columns}),
   audited as (
     ${recordAction({
       id: '$6::uuid',
       actor: '$7',
       action: "'keys.rotate'",
       target: "'key ' || name",
       detail: `json_build_object('key', e.id, 'replacedBy', m.id, 'scopes', scopes, 'team', team,
         'from', json_build_object('expiresAt', (select expires_at from before)), 'to', json_build_object('expiresAt', e.ends_at))`,
       reason: '$8',
       team: 'team',
       from: 'made m join ending e on e.id = m.replaces',
     })})
   select m.*, e.ends_at from made m join ending e on e.id = m.replaces`,
);
