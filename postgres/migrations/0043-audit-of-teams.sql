-- Entries of the audit are read by people, page by page, and those of a team by its own keys.
alter table millrace.operator_actions
  add column team text; -- the one team whose operator acted, or that the target belongs to

update millrace.operator_actions set team = case
  when action like 'pauses.%' and detail ->> 'scope' = 'team' then detail ->> 'value'
  else detail ->> 'team' end
where json_typeof(detail) = 'object'
  and ((action like 'pauses.%' and detail ->> 'scope' = 'team') or detail ->> 'team' is not null);

-- The order of the list is total: entries of one moment stand in the order of their ids.
create index operator_actions_at_id on millrace.operator_actions (at, id);
create index operator_actions_team on millrace.operator_actions (team, at, id) where team is not null;
drop index millrace.operator_actions_at;
