-- One meaning a name: what stops work is a block (a pause is a block by an operator), a lease expires, an answer of no use is an
-- invalid output, and the sweeper looks at a message at `sweep_at`. Every process is stopped while this runs: the statements of an
-- earlier version name the old columns.

alter table millrace.holds rename to blocks;
alter table millrace.blocks rename constraint holds_pkey to blocks_pkey;
alter table millrace.blocks rename constraint holds_scope_check to blocks_scope_check;
alter table millrace.blocks add column source text not null default 'operator';
alter table millrace.blocks drop constraint holds_scope_value_key;
alter table millrace.blocks add constraint blocks_source_scope_value_key unique (source, scope, value);

alter table millrace.messages rename column degenerate_attempts to invalid_output_attempts;
alter table millrace.messages rename column lost_runs to expired_leases;
alter table millrace.messages rename column lease_owner to leased_by;
alter table millrace.messages rename column wake_at to sweep_at;
alter table millrace.calls rename column rejected_at to invalidated_at;
alter index millrace.messages_wake rename to messages_sweep;
alter index millrace.messages_order_held rename to messages_order_leased;

-- What messages wait for, and why they failed, by the present names.
update millrace.messages set parked_for = 'pause:' || substr(parked_for, 6) where parked_for like 'hold:%';
update millrace.messages set waits_for = 'pause' || substr(waits_for, 5)
where state = 'pending' and (waits_for = 'hold' or waits_for like 'hold:%');
update millrace.messages set waits_for = 'circuit' || substr(waits_for, 8)
where state = 'pending' and (waits_for = 'breaker' or waits_for like 'breaker:%');
update millrace.messages set waits_for = 'retry:MILLRACE_LEASE_EXPIRED' where state = 'pending' and waits_for = 'retry:MILLRACE_LEASE_LOST';
update millrace.messages set waits_for = 'retry:MILLRACE_OUTPUT_INVALID' where state = 'pending' and waits_for = 'retry:MILLRACE_ANSWER_DEGENERATE';
update millrace.messages set error_code = case error_code when 'MILLRACE_RUNS_LOST' then 'MILLRACE_MESSAGE_STALLED'
  when 'MILLRACE_LEASE_LOST' then 'MILLRACE_LEASE_EXPIRED' else 'MILLRACE_OUTPUT_INVALID' end
where state = 'dead_lettered' and error_code in ('MILLRACE_RUNS_LOST', 'MILLRACE_LEASE_LOST', 'MILLRACE_ANSWER_DEGENERATE');
update millrace.failures set code = case code when 'MILLRACE_RUNS_LOST' then 'MILLRACE_MESSAGE_STALLED'
  when 'MILLRACE_LEASE_LOST' then 'MILLRACE_LEASE_EXPIRED' else 'MILLRACE_OUTPUT_INVALID' end
where code in ('MILLRACE_RUNS_LOST', 'MILLRACE_LEASE_LOST', 'MILLRACE_ANSWER_DEGENERATE');

update millrace.calls set waste_reason = 'invalid_output' where waste_reason = 'degenerate';

-- The role is taken anew under its present name.
delete from millrace.role_leases where role = 'relay';

-- The record of the end of a message that completed, as before, by the present name of a column.
create or replace function millrace.outcome_line(m millrace.messages, detail text) returns text language sql stable as $$
  select concat(
    '{"message_id":"', m.id, '","root_id":"', m.root_id,
    '","ts":"', to_char(m.finished_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS'),
    '","team":', to_json(m.team), ',"customer":', to_json(m.customer), ',"feature":', to_json(m.feature),
    ',"pipeline":', to_json(m.pipeline), ',"stage":', to_json(m.stage), ',"owner":', to_json(m.owner),
    ',"outcome":"', m.state, '","attempts":', least(m.prior_attempts + m.attempts + m.invalid_output_attempts + 1, 65535),
    ',"deliveries":', least(m.deliveries, 65535),
    ',"wait_ms":', greatest(0, trunc(extract(epoch from m.leased_at - m.available_at) * 1000)),
    ',"age_ms":', greatest(0, trunc(extract(epoch from m.finished_at - m.admitted_at) * 1000)),
    ',"batch":' || to_json(m.batch),
    case when m.source <> 'erased' or m.item <> m.id::text then ',"item":' || to_json(m.item) end,
    case when length(m.trace_parent) >= 55 and m.source <> 'erased' then ',"trace_id":"' || substr(m.trace_parent, 4, 32) || '"' end,
    ',' || detail, '}')
$$;
