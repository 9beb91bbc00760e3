-- Why a message that is due later waits, for people: "rate_limit:openai/gpt-5-mini", "retry:MILLRACE_PROVIDER_UNAVAILABLE".
-- Written where it is put off and never cleared: it speaks while the message is pending and not due.
alter table millrace.messages
  add column waits_for text,
  add column waits_since timestamptz; -- since when for this, however often it was tried in between

-- Few messages ever wait for something: the rest are in no row of it.
create index messages_waiting on millrace.messages (waits_for, available_at)
  where state = 'pending' and waits_for is not null;
