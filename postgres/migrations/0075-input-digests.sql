-- What tells the input of a batch from any other: a file that is submitted under the name of a batch is that batch only when its input is the same.
alter table millrace.batches
  add column if not exists input_digest text;   -- SHA-256 of the bytes that were read, and of how; null: not known, or not complete
