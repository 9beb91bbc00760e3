-- What a correction says of itself. The costs of the classes, the tools, the fee and the adjustment of a call's records add up to their cost.
ALTER TABLE {{database}}.usage {{on_cluster}}
  ADD COLUMN IF NOT EXISTS cost_adjustment Decimal(38, 18) COMMENT 'what a correction changes that is of no class',
  ADD COLUMN IF NOT EXISTS corrected_period LowCardinality(String) COMMENT 'the closed period that it corrects, whose call was sent then; empty where ts is the time of the call',
  ADD COLUMN IF NOT EXISTS operation_id UUID COMMENT 'the operation of an operator that made it, in the audit',
  ADD COLUMN IF NOT EXISTS correction_reason LowCardinality(String),
  ADD COLUMN IF NOT EXISTS correction_actor LowCardinality(String),
  ADD COLUMN IF NOT EXISTS price_book LowCardinality(String) COMMENT 'the version of the price book that it was priced by';
