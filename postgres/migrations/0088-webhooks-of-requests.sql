-- The ends of requests are events of webhooks, written by the statement that records the ends. Most end with nobody to tell: those cost one look.
create or replace function millrace.write_request_events() returns trigger language plpgsql as $$
  begin
    -- In the order of names: statements that tell the same webhooks of the configuration for the first time do not wait for each other in a circle.
    perform millrace.write_webhook_event(e.event_type, e.id, e.team, e.webhook, json_strip_nulls(json_build_object(
        'id', e.id, 'team', e.team, 'pipeline', e.pipeline, 'state', e.state, 'code', e.error_code, 'createdAt', e.created_at, 'endedAt', e.ended_at,
        'calls', e.calls, 'costUsd', trim_scale(e.cost_usd)::text, 'unpriced', e.unpriced, 'unsettledUsd', trim_scale(e.unsettled_usd)::text)))
    from (
      select a.*, 'request.' || a.state as event_type from after a join before b on b.id = a.id
      where b.ended_at is null and a.ended_at is not null) e
    where e.webhook is not null or exists (
      select from millrace.webhook_endpoints w where w.kind = 'subscription' and (w.team = e.team or w.team is null) and e.event_type = any(w.events))
    order by e.webhook, e.id;
    return null;
  end $$;

create or replace trigger requests_events after update on millrace.requests referencing old table as before new table as after
  for each statement execute function millrace.write_request_events();
