import type { SqlStatement } from '../../drivers/sql-database/sql-database.ts';
import { marginShare } from './token-bucket.ts';

const named = (name: string, text: string): SqlStatement => ({ name, text });

/**
 * $1 models with their configured limits: makes the rows with full buckets. A limit that is new begins full, too; one
 * that has changed keeps its level.
 */
export const ensureLimits = named(
  'admission.ensure_limits',
  `insert into millrace.model_limits as l (provider, model, requests_limit, tokens_limit, requests_level, tokens_level)
   select a.provider, a.model, a.requests_limit, a.tokens_limit, coalesce(a.requests_limit, 0), coalesce(a.tokens_limit, 0)
   from json_to_recordset($1::json) as a(provider text, model text, requests_limit float8, tokens_limit float8)
   order by a.provider, a.model
   on conflict (provider, model) do update
   set requests_limit = excluded.requests_limit, tokens_limit = excluded.tokens_limit,
     requests_level = case when l.requests_limit is null then excluded.requests_level
       else least(l.requests_level, excluded.requests_limit) end,
     tokens_level = case when l.tokens_limit is null then excluded.tokens_level
       else least(l.tokens_level, excluded.tokens_limit) end
   where l.requests_limit is distinct from excluded.requests_limit or l.tokens_limit is distinct from excluded.tokens_limit`,
);

/**
 * The rows that `asked` is about, locked in order and brought up to now. The time is read after the lock is held: a
 * statement that waited for its row must not refill it with an older time than the one before.
 */
const refilled = `locked as materialized (
     select * from millrace.model_limits
     where (provider, model) in (select provider, model from asked) order by provider, model for update),
   refilled as materialized (
     select provider, model, r_limit, t_limit, requests_taken, tokens_taken, cooldown_until, now,
       coalesce(least(r_limit, requests_level + elapsed_ms * r_limit / 60000), requests_level) as r_level,
       coalesce(least(t_limit, tokens_level + elapsed_ms * t_limit / 60000), tokens_level) as t_level,
       coalesce(greatest(0, extract(epoch from cooldown_until - now)::float8 * 1000), 0) as cooldown_ms
     from (
       select timed.*, greatest(0, extract(epoch from now - updated_at)::float8 * 1000) as elapsed_ms
       from (
         select locked.*, clock_timestamp() as now,
           case when requests_limit is not null then least(requests_limit, requests_reported) end as r_limit,
           case when tokens_limit is not null then least(tokens_limit, tokens_reported) end as t_limit
         from locked) timed) x)`;

/**
 * $1 requests that want to go, in order. Takes from the buckets for those whose wait is short enough, and answers each
 * with its wait and with the state after all of them; see token-bucket.ts.
 */
export const takeFromLimits = named(
  'admission.take_from_limits',
  `with asked as materialized (
     select * from json_to_recordset($1::json) as a(ord int, provider text, model text, tokens float8, max_wait_ms float8)),
   ${refilled},
   placed as materialized (
     select a.*, sum(a.tokens) over earlier_and_this as tokens_to_here, count(*) over earlier_and_this as requests_to_here,
       greatest(r.cooldown_ms,
         (count(*) over earlier_and_this - 1 + least(r.r_limit, 1 + r.r_limit * ${marginShare}) - r.r_level) * 60000 / r.r_limit,
         (sum(a.tokens) over earlier_and_this - a.tokens + least(r.t_limit, a.tokens + r.t_limit * ${marginShare}) - r.t_level)
           * 60000 / r.t_limit) as wait_ms
     from asked a join refilled r using (provider, model)
     window earlier_and_this as (partition by a.provider, a.model order by a.ord)),
   granted as (
     select provider, model, count(*)::float8 as requests, sum(tokens) as tokens
     from placed where wait_ms <= max_wait_ms group by provider, model),
   changed as (
     select r.*, coalesce(g.requests, 0) as requests, coalesce(g.tokens, 0) as tokens
     from refilled r left join granted g using (provider, model)),
   written as (
     update millrace.model_limits l
     set requests_level = c.r_level - c.requests, tokens_level = c.t_level - c.tokens,
       requests_taken = c.requests_taken + c.requests, tokens_taken = c.tokens_taken + c.tokens, updated_at = c.now
     from changed c where l.provider = c.provider and l.model = c.model)
   select p.ord, p.wait_ms, p.wait_ms <= p.max_wait_ms as is_granted,
     c.requests_taken + p.requests_to_here as requests_mark, c.tokens_taken + p.tokens_to_here as tokens_mark,
     c.r_limit as requests_limit, c.t_limit as tokens_limit,
     c.r_level - c.requests as requests_level, c.t_level - c.tokens as tokens_level, c.cooldown_ms
   from placed p join changed c using (provider, model)`,
);

/**
 * $1 what happened to requests: what is given back of their estimates, and what the provider's answer said. Where the
 * provider's bucket, less all that was taken after the request and with the time since it was sent, is clearly lower
 * than ours, ours is lowered to it. What was taken after it counts as settled where it is: the first requests of a kind are
 * estimated far too high, and would seem to be missing there. A limit that the provider names replaces the one it named before.
 */
export const correctLimits = named(
  'admission.correct_limits',
  `with asked as materialized (
     select * from json_to_recordset($1::json) as a(ord int, provider text, model text, requests_back float8, tokens_back float8,
       cooldown_ms float8, sent_ms_ago float8, requests_mark float8, tokens_mark float8, requests_slack float8, tokens_slack float8,
       requests_left float8, tokens_left float8, requests_reported float8, tokens_reported float8)),
   ${refilled},
   told as (
     select provider, model, r_limit, t_limit, cooldown_until, now,
       sum(a.requests_back) as requests_back, sum(a.tokens_back) as tokens_back,
       now + max(a.cooldown_ms) * interval '1 millisecond' as told_until,
       (array_agg(a.requests_reported order by a.ord desc) filter (where a.requests_reported is not null))[1] as r_reported,
       (array_agg(a.tokens_reported order by a.ord desc) filter (where a.tokens_reported is not null))[1] as t_reported,
       r_level + sum(a.requests_back) as r_level, t_level + sum(a.tokens_back) as t_level,
       min(seen_requests) filter (where seen_requests + requests_slack < r_level) as r_seen,
       min(seen_tokens) filter (where seen_tokens + tokens_slack < t_level) as t_seen
     from asked a join (
       select o.ord, r.*, o.requests_left - (r.requests_taken - o.requests_mark) + o.sent_ms_ago * r.r_limit / 60000 as seen_requests,
         o.tokens_left - (r.tokens_taken - o.tokens_mark) + o.sent_ms_ago * r.t_limit / 60000 as seen_tokens
       from asked o join refilled r using (provider, model)) seen using (provider, model, ord)
     group by provider, model, r_limit, t_limit, cooldown_until, now, r_level, t_level)
   update millrace.model_limits l
   set requests_level = coalesce(least(t.r_limit, t.r_level, t.r_seen), l.requests_level),
     tokens_level = coalesce(least(t.t_limit, t.t_level, t.t_seen), l.tokens_level),
     requests_taken = l.requests_taken - t.requests_back, tokens_taken = l.tokens_taken - t.tokens_back,
     requests_reported = coalesce(t.r_reported, l.requests_reported),
     tokens_reported = coalesce(t.t_reported, l.tokens_reported),
     cooldown_until = greatest(l.cooldown_until, t.told_until), updated_at = t.now
   from told t where l.provider = t.provider and l.model = t.model
   returning l.provider, l.model, t.r_limit as requests_limit, t.t_limit as tokens_limit,
     l.requests_level, l.tokens_level,
     coalesce(greatest(0, extract(epoch from l.cooldown_until - t.now)::float8 * 1000), 0) as cooldown_ms`,
);
