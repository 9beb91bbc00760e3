-- By which way a call came into the ledger: through a model of a stage (null), through the gateway, from a span, from an event.
alter table millrace.calls add column if not exists via text;

-- As before, with the way.
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
    ',"via":' || to_json(c.via),
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
