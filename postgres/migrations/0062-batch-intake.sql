-- How a batch came in: what it was asked for with, so that the same request again is known, and the size of what its items hold.
alter table millrace.batches
  add column request_digest text,          -- of the request that made it
  add column input_tokens bigint not null default 0, -- estimated, of all items that can be run
  add column input_bytes  bigint not null default 0; -- of their data
