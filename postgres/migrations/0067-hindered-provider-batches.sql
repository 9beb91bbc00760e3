alter table millrace.provider_batches
  -- Since when its steps have failed one after another, or its provider has not been configured; null while it goes on.
  add column if not exists hindered_since timestamptz,
  -- How often results that lack requests were read: apart from attempts, which reading that fails counts too.
  add column if not exists readings int not null default 0;
