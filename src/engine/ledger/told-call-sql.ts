import { named } from '../../drivers/sql-database/sql-statement.ts';

/* The statements about calls that happened elsewhere. */

/**
 * $1 keys, each once. Answers the call that each of them names from here on: the one that had it, or the one that claims it. In one order, so that no two
 * groups wait for each other.
 */
export const claimKeys = named(
  'ledger.claim_told_keys',
  `insert into millrace.told_usage_keys as k (team, key, call_id)
   select s.team, s.key, s.call_id from json_to_recordset($1::json) as s(team text, key text, call_id uuid)
   order by s.team, s.key
   on conflict (team, key) do update set call_id = k.call_id
   returning k.team, k.key, k.call_id`,
);

/** $1 keys of calls that are not written, with the one that these are. */
export const passKeysOn = named(
  'ledger.pass_told_keys_on',
  `update millrace.told_usage_keys k set call_id = s.to_id
   from json_to_recordset($1::json) as s(team text, key text, to_id uuid) where k.team = s.team and k.key = s.key`,
);

/** $1 calls. Answers those that are written: not those whose id is there, from before its keys were forgotten. */
export const insertToldCalls = named(
  'ledger.insert_told_calls',
  `insert into millrace.calls (id, origin, step, ordinal, attempt, provider, model, operation, tier, request_kind, request_digest, via, reserved_at,
     state, settled_at, outcome, settlement, error_type, answered_model, provider_request_id, tokens, raw_usage, cost_usd, upper_bound_usd,
     price_reference, price_catalogue, duration_ms, first_chunk_ms, is_suspect, cost_detail)
   select s.id, s.origin, s.step, 0, 1, s.provider, s.model, s.operation, s.tier, s.request_kind, '', s.via, s.sent_at,
     s.state, clock_timestamp(), s.outcome, s.settlement, s.error_type, s.answered_model, s.provider_request_id, s.tokens, s.raw_usage, s.cost_usd,
     s.upper_bound_usd, s.price_reference, s.price_catalogue, s.duration_ms, s.first_chunk_ms, coalesce(s.is_suspect, false), s.detail
   from json_to_recordset($1::json) as s(id uuid, origin text, step text, provider text, model text, operation text, tier text, request_kind text, via text,
     sent_at timestamptz, state text, outcome text, settlement text, error_type text, answered_model text, provider_request_id text, tokens text,
     raw_usage text, cost_usd numeric, upper_bound_usd numeric, price_reference text, price_catalogue text, duration_ms int, first_chunk_ms int,
     is_suspect boolean, detail text)
   order by s.id
   on conflict (id) do nothing
   returning id`,
);

/** $1 ids. Their records as lines: of a time in a closed period they are booked in the one that is open (book_in_open_period). */
export const recordToldCalls = named(
  'ledger.record_told_calls',
  `insert into millrace.outbox (target, line)
   select 'usage', millrace.usage_line(c, null::millrace.messages, null) from millrace.calls c where c.id = any($1::uuid[]) order by c.id`,
);

/** $1 milliseconds, $2 how many. */
export const forgetKeys = named(
  'ledger.forget_told_keys',
  `delete from millrace.told_usage_keys where (team, key) in (
     select team, key from millrace.told_usage_keys
     where told_at < statement_timestamp() - $1::float8 * interval '1 millisecond' order by told_at, team, key limit $2)`,
);
