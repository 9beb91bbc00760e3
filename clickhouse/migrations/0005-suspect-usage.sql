-- Usage that a provider reported and that cannot be true: the call was counted from its texts, and is estimated.
ALTER TABLE {{database}}.usage {{on_cluster}}
  ADD COLUMN IF NOT EXISTS suspect_calls Int8 COMMENT '1 for a call whose reported usage was not believed, -1 for the correction that replaced it';
