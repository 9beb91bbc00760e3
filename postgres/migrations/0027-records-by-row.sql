-- The outbox names the row that a record is about, and the record is rendered from it when it is exported. A rendered line stands
-- in it only for records of which no row says everything (corrections, messages that did not complete, lines of an earlier version).
alter table millrace.outbox
  alter column line drop not null,
  add column subject uuid,                 -- without a line: the call, or the completed message
  add column detail text,                  -- fields of the record that the row does not have, as they stand in its JSON object
  add constraint outbox_has_record check (line is not null or subject is not null);

-- The place of the call's own record in the outbox, whether it is still there or has been exported.
alter table millrace.calls add column record_seq bigint;

-- The usage record of a call that has ended, as one JSON object without its export batch (see the table `usage` in the column store).
-- `m`: its message, null for a call outside of messages. A batch that is read twice must give the same rows: a later version of
-- this function may add fields, and change none.
create function millrace.usage_line(c millrace.calls, m millrace.messages, detail text) returns text language sql stable as $$
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
    ',' || detail, '}')
$$;

-- The record of the end of a message that completed (see the table `message_outcomes` in the column store); as above.
create function millrace.outcome_line(m millrace.messages, detail text) returns text language sql stable as $$
  select concat(
    '{"message_id":"', m.id, '","root_id":"', m.root_id,
    '","ts":"', to_char(m.finished_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS'),
    '","team":', to_json(m.team), ',"customer":', to_json(m.customer), ',"feature":', to_json(m.feature),
    ',"pipeline":', to_json(m.pipeline), ',"stage":', to_json(m.stage), ',"owner":', to_json(m.owner),
    ',"outcome":"', m.state, '","attempts":', least(m.prior_attempts + m.attempts + m.degenerate_attempts + 1, 65535),
    ',"deliveries":', least(m.deliveries, 65535),
    ',"wait_ms":', greatest(0, trunc(extract(epoch from m.leased_at - m.available_at) * 1000)),
    ',"age_ms":', greatest(0, trunc(extract(epoch from m.finished_at - m.admitted_at) * 1000)),
    ',"batch":' || to_json(m.batch),
    case when m.source <> 'erased' or m.item <> m.id::text then ',"item":' || to_json(m.item) end,
    case when length(m.trace_parent) >= 55 and m.source <> 'erased' then ',"trace_id":"' || substr(m.trace_parent, 4, 32) || '"' end,
    ',' || detail, '}')
$$;

-- What a record says is what its call said when it was written. Whatever changes that before the record is exported leaves the
-- line of before in the outbox. An erasure changes none of these columns: what it takes away is to be missing from the record, too.
create function millrace.keep_usage_line() returns trigger language plpgsql as $$
  begin
    update millrace.outbox o
    set line = millrace.usage_line(old, (select m from millrace.messages m where m.id = old.message_id), o.detail), detail = null
    where o.target = 'usage' and o.seq = old.record_seq and o.line is null;
    return null;
  end $$;

create trigger calls_record_kept after update on millrace.calls for each row
  when (old.record_seq is not null and
    (old.state, old.outcome, old.settlement, old.error_type, old.answered_model, old.tier, old.provider_request_id, old.tokens, old.cost_usd,
     old.upper_bound_usd, old.price_reference, old.price_catalogue, old.waste_reason, old.duration_ms, old.first_chunk_ms, old.is_suspect,
     old.settled_at)
    is distinct from
    (new.state, new.outcome, new.settlement, new.error_type, new.answered_model, new.tier, new.provider_request_id, new.tokens, new.cost_usd,
     new.upper_bound_usd, new.price_reference, new.price_catalogue, new.waste_reason, new.duration_ms, new.first_chunk_ms, new.is_suspect,
     new.settled_at))
  execute function millrace.keep_usage_line();
