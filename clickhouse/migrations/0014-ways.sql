-- Records say by which way the call came into the ledger, so that reports can tell own calls from those of others.
ALTER TABLE {{database}}.usage {{on_cluster}}
  ADD COLUMN IF NOT EXISTS via LowCardinality(String) DEFAULT 'stage' COMMENT 'how the call came into the ledger: stage, gateway, otlp (a span), event (a usage event)';
