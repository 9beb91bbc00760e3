-- Calls of a cascade say their place in it, what became of their answer, and what it would have cost at the last model.
ALTER TABLE {{database}}.usage {{on_cluster}}
  ADD COLUMN IF NOT EXISTS cascade_place UInt8 COMMENT 'place of the model in its cascade, from 1; 0 for a call of no cascade',
  ADD COLUMN IF NOT EXISTS cascade_models UInt8 COMMENT 'how many models the cascade has',
  ADD COLUMN IF NOT EXISTS cascade_verdict LowCardinality(String) COMMENT 'accepted: the answer was taken; escalated: the next model was asked; empty: not decided, or the last model',
  ADD COLUMN IF NOT EXISTS cascade_usd Decimal(38, 18) COMMENT 'what the tokens of an accepted answer would have cost at the last model; negative in the correction that takes it back',
  ADD COLUMN IF NOT EXISTS cascade_unvalued Int8 COMMENT '1 for an accepted answer of which the last model has no price, -1 for the correction that takes it back';
