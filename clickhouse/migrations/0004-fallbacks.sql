-- A call to a fallback model is booked on the model that answered it; this says which one it stood in for.
ALTER TABLE {{database}}.usage {{on_cluster}}
  ADD COLUMN IF NOT EXISTS fallback_from LowCardinality(String) COMMENT 'the model that was asked for; empty when that one was called';
