import { named } from '../../../drivers/sql-database/sql-statement.ts';

/*
 * The statements by which requests are written. A key that is taken is not taken again before its time is over, whoever asks at the same moment;
 * keys are taken in one order, so that no two groups wait for each other.
 */

/** $1 requests, each key once. Answers those that are written: without a key all, with one those that took it. */
export const writeRequests = named(
  'requests.write',
  `with told as materialized (
     select * from json_to_recordset($1::json) as r(id uuid, team text, customer text, feature text, labels text, pipeline text, type text, version int,
       actor text, on_disconnect text, disconnect_grace_ms int, webhook text, key text, fingerprint text, key_ms float8)),
   taken as (
     insert into millrace.request_keys as k (team, key, request_id, fingerprint, expires_at)
     select t.team, t.key, t.id, t.fingerprint, clock_timestamp() + t.key_ms * interval '1 millisecond' from told t where t.key is not null order by t.team, t.key
     on conflict (team, key) do update
       set request_id = excluded.request_id, fingerprint = excluded.fingerprint, expires_at = excluded.expires_at
       where k.expires_at <= clock_timestamp() or k.request_id = excluded.request_id
     returning k.request_id)
   insert into millrace.requests as q (id, team, customer, feature, labels, pipeline, type, version, actor, on_disconnect, disconnect_grace_ms, webhook)
   select t.id, t.team, t.customer, t.feature, t.labels, t.pipeline, t.type, t.version, t.actor, t.on_disconnect, t.disconnect_grace_ms, t.webhook
   from told t where t.key is null or t.id in (select request_id from taken)
   on conflict (id) do update set webhook = excluded.webhook
   returning q.id, q.created_at`,
);

/** $1 team, $2 key: the request that the key stands for, and whether it was admitted. */
export const findByKey = named(
  'requests.find_by_key',
  `select k.fingerprint, q.id, q.created_at,
     q.ended_at is not null or exists (select from millrace.messages m where m.id = q.id) as is_admitted
   from millrace.request_keys k join millrace.requests q on q.id = k.request_id
   where k.team = $1 and k.key = $2 and k.expires_at > clock_timestamp()`,
);
