-- Payloads whose rows were pruned, until nobody needs them and the payload store has removed them.
create table millrace.payload_removals (
  reference  text primary key,
  due_at     timestamptz not null default clock_timestamp()
);

create index payload_removals_due on millrace.payload_removals (due_at);

-- Payloads are named by their content, so several rows may share one: before it goes, these are asked.
create index messages_body_ref on millrace.messages (body_ref) where body_ref is not null;
create index calls_answer_ref on millrace.calls (answer_ref) where answer_ref is not null;
