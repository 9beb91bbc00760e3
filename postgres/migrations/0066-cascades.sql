-- A cascade asks a small model first, and a larger one where the small one's answer does not do. Each of its calls says its place; a call
-- before the last says what became of its answer, once that is decided, and what the same tokens would have cost at the last model.
alter table millrace.calls
  add column if not exists cascade_place smallint,    -- from 1; null for a call of no cascade
  add column if not exists cascade_models smallint,   -- how many models the cascade has
  add column if not exists cascade_verdict text,      -- accepted: the answer was taken; escalated: the next model was asked
  add column if not exists cascade_usd numeric;       -- of an accepted one: the last model's price of it; null: no such price is known

-- As before, with the cascade.
create or replace function millrace.usage_line(c millrace.calls, m millrace.messages, detail text) returns text language sql stable as $$
  select concat(
    '{"record_id":"', c.id, '","record_kind":"call","call_id":"', c.id,
    '","ts":"', to_char(c.reserved_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS'),
    '","recorded_at":"', to_char(c.settled_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS'),
    '","team":', to_json(coalesce(m.team, c.origin::json ->> 'team', '')),
    ',"customer":', to_json(coalesce(m.customer, c.origin::json ->> 'customer', '')),
    ',"feature":', to_json(coalesce(m.feature, c.origin::json ->> 'feature', '')),
    ',"pipeline":', to_json(coalesce(m.pipeline, '')), ',"stage":', to_json(coalesce(m.stage, '')),
    ',"owner":', to_json(coalesce(m.owner, '')),
    ',"step":', to_json(c.step), ',"attempt":', least(c.attempt, 65535),
    ',"provider":', to_json(c.provider), ',"model":', to_json(c.model),
    ',"operation":"', case c.operation when 'embeddings' then 'embeddings' else 'chat' end,
    '","tier":', to_json(c.tier), ',"request_kind":"', c.request_kind,
    '","outcome":"', case c.outcome when 'unknown' then 'unsettled' else c.outcome end,
    '","settlement":"', c.settlement,
    '","calls":1,"unpriced_calls":', case when coalesce(c.cost_usd, case when c.state = 'unsettled' then c.upper_bound_usd end) is null then 1 else 0 end,
    ',"unsettled_calls":', case c.settlement when 'unsettled' then 1 else 0 end,
    ',"estimated_calls":', case c.settlement when 'estimated' then 1 else 0 end,
    ',"duration_ms":', greatest(c.duration_ms, 0),
    case when c.is_suspect then ',"suspect_calls":1' end,
    ',"shared_request":"' || c.shared_request || '"',
    ',"cascade_place":' || c.cascade_place || ',"cascade_models":' || c.cascade_models,
    ',"cascade_verdict":"' || c.cascade_verdict || '"', ',"cascade_usd":"' || c.cascade_usd || '"',
    case when c.cascade_verdict = 'accepted' and c.cascade_usd is null then ',"cascade_unvalued":1' end,
    ',"batch":' || to_json(coalesce(m.batch, c.origin::json ->> 'batch')),
    ',"labels":' || coalesce(m.labels, (c.origin::json -> 'labels')::text),
    ',"message_id":"' || m.id || '","root_id":"' || m.root_id || '"',
    -- Of an erased message the row has stand-ins.
    case when m.source <> 'erased' or m.item <> m.id::text then ',"item":' || to_json(m.item) end,
    case when length(m.trace_parent) >= 55 and m.source <> 'erased' then ',"trace_id":"' || substr(m.trace_parent, 4, 32) || '"' end,
    ',"fallback_from":' || to_json(c.fallback_from), ',"answered_model":' || to_json(c.answered_model),
    ',"provider_request_id":' || to_json(c.provider_request_id), ',"error_type":' || to_json(c.error_type),
    ',"is_waste":1,"waste_reason":"' || c.waste_reason || '"',
    ',"price_reference":' || to_json(c.price_reference), ',"price_catalogue":' || to_json(c.price_catalogue),
    ',"raw_usage":' || to_json(c.raw_usage), case when c.first_chunk_ms is not null then ',"first_chunk_ms":' || greatest(c.first_chunk_ms, 0) end,
    case when c.tokens <> '{}' then ',"tokens_' || replace(substr(c.tokens, 3, length(c.tokens) - 3), ',"', ',"tokens_') end,
    ',"cost_usd":"' || coalesce(c.cost_usd, case when c.state = 'unsettled' and c.upper_bound_usd is not null then 0 end) || '"',
    ',"upper_bound_usd":"' || c.upper_bound_usd || '"',
    ',' || coalesce(detail, c.cost_detail), '}')
$$;

-- A verdict that comes after the call was settled leaves the line of before, too.
drop trigger if exists calls_record_kept on millrace.calls;
create trigger calls_record_kept after update on millrace.calls for each row
  when (old.record_seq is not null and
    (old.state, old.outcome, old.settlement, old.error_type, old.answered_model, old.tier, old.provider_request_id, old.tokens, old.cost_usd,
     old.upper_bound_usd, old.price_reference, old.price_catalogue, old.waste_reason, old.duration_ms, old.first_chunk_ms, old.is_suspect,
     old.settled_at, old.cost_detail, old.cascade_verdict, old.cascade_usd)
    is distinct from
    (new.state, new.outcome, new.settlement, new.error_type, new.answered_model, new.tier, new.provider_request_id, new.tokens, new.cost_usd,
     new.upper_bound_usd, new.price_reference, new.price_catalogue, new.waste_reason, new.duration_ms, new.first_chunk_ms, new.is_suspect,
     new.settled_at, new.cost_detail, new.cascade_verdict, new.cascade_usd))
  execute function millrace.keep_usage_line();
