-- Uses of tools that providers run and bill beside tokens: how often each, and what they cost together. A use whose price is not
-- known is counted without a cost: its call is estimated, with its upper bound.
ALTER TABLE {{database}}.usage {{on_cluster}}
  ADD COLUMN IF NOT EXISTS units Map(LowCardinality(String), UInt32) COMMENT 'uses of tools by kind: web_search, file_search, …',
  ADD COLUMN IF NOT EXISTS cost_units Decimal(38, 18);
