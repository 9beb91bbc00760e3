-- One immutable row a message that ended. Fed like the usage table: by export batches, each with its own token.
CREATE TABLE IF NOT EXISTS {{database}}.message_outcomes {{on_cluster}} (
  message_id UUID,
  export_batch UUID,
  ts DateTime64(3, 'UTC') COMMENT 'when the message ended',
  inserted_at DateTime64(3, 'UTC') DEFAULT now64(3),
  root_id UUID,
  pipeline LowCardinality(String),
  stage LowCardinality(String),
  owner LowCardinality(String),
  team LowCardinality(String),
  customer String,
  feature LowCardinality(String),
  batch String,
  item String,
  outcome Enum8('completed' = 1, 'dead_lettered' = 2, 'cancelled' = 3),
  error_code LowCardinality(String),
  attempts UInt16 COMMENT 'times the handler ran',
  deliveries UInt16 COMMENT 'times the message was leased',
  duration_ms UInt32 COMMENT 'of the last run of the handler',
  wait_ms UInt64 COMMENT 'from ready to the first lease',
  age_ms UInt64 COMMENT 'from admission of the message to its end',
  trace_id String,
  INDEX by_export_batch export_batch TYPE bloom_filter(0.001) GRANULARITY 1,
  INDEX by_inserted_at inserted_at TYPE minmax GRANULARITY 1,
  INDEX by_message message_id TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX by_batch batch TYPE bloom_filter(0.01) GRANULARITY 1
) ENGINE = {{engine:MergeTree}}
PARTITION BY toYYYYMM(ts)
ORDER BY (stage, ts)
SETTINGS {{deduplication}}, fsync_after_insert = 1, fsync_part_directory = 1;
