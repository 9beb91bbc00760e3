-- Items that are larger than their batch allows: which bound was applied to how many, and what of an item was cut off.
alter table millrace.batches
  add column if not exists caps text;           -- JSON: the bound in tokens, the items above it, their tokens before and after
alter table millrace.batch_items
  add column if not exists capped_from int;     -- its estimated tokens before a text of it was cut
