-- Columns of rollups end in _sum, so that no aggregate is ever named like a column of its source.

CREATE TABLE IF NOT EXISTS {{database}}.usage_hourly {{on_cluster}} (
  hour DateTime('UTC'),
  team LowCardinality(String),
  feature LowCardinality(String),
  owner LowCardinality(String),
  pipeline LowCardinality(String),
  stage LowCardinality(String),
  provider LowCardinality(String),
  model LowCardinality(String),
  calls_sum SimpleAggregateFunction(sum, Int64),
  failed_calls_sum SimpleAggregateFunction(sum, Int64),
  unpriced_calls_sum SimpleAggregateFunction(sum, Int64),
  unsettled_calls_sum SimpleAggregateFunction(sum, Int64),
  estimated_calls_sum SimpleAggregateFunction(sum, Int64),
  tokens_uncached_input_sum SimpleAggregateFunction(sum, Int64),
  tokens_cache_read_sum SimpleAggregateFunction(sum, Int64),
  tokens_cache_write_sum SimpleAggregateFunction(sum, Int64),
  tokens_media_input_sum SimpleAggregateFunction(sum, Int64),
  tokens_text_output_sum SimpleAggregateFunction(sum, Int64),
  tokens_reasoning_sum SimpleAggregateFunction(sum, Int64),
  tokens_media_output_sum SimpleAggregateFunction(sum, Int64),
  cost_usd_sum SimpleAggregateFunction(sum, Decimal(38, 18)),
  upper_bound_usd_sum SimpleAggregateFunction(sum, Decimal(38, 18)),
  waste_usd_sum SimpleAggregateFunction(sum, Decimal(38, 18)),
  duration_ms_state AggregateFunction(quantilesTDigestIf(0.5, 0.95, 0.99), UInt32, UInt8)
) ENGINE = {{engine:AggregatingMergeTree}}
PARTITION BY toYYYYMM(hour)
ORDER BY (team, hour, feature, owner, pipeline, stage, provider, model)
SETTINGS {{deduplication}}, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS {{database}}.usage_hourly_view {{on_cluster}} TO {{database}}.usage_hourly AS
SELECT
  toStartOfHour(ts) AS hour,
  team, feature, owner, pipeline, stage, provider, model,
  sum(calls) AS calls_sum,
  sumIf(calls, outcome = 'error') AS failed_calls_sum,
  sum(unpriced_calls) AS unpriced_calls_sum,
  sum(unsettled_calls) AS unsettled_calls_sum,
  sum(estimated_calls) AS estimated_calls_sum,
  sum(tokens_uncached_input) AS tokens_uncached_input_sum,
  sum(tokens_cache_read) AS tokens_cache_read_sum,
  sum(tokens_cache_write_5m + tokens_cache_write_1h) AS tokens_cache_write_sum,
  sum(tokens_audio_input + tokens_image_input) AS tokens_media_input_sum,
  sum(tokens_text_output) AS tokens_text_output_sum,
  sum(tokens_reasoning) AS tokens_reasoning_sum,
  sum(tokens_audio_output + tokens_image_output) AS tokens_media_output_sum,
  sum(ifNull(cost_usd, 0)) AS cost_usd_sum,
  sum(ifNull(upper_bound_usd, 0)) AS upper_bound_usd_sum,
  sumIf(ifNull(cost_usd, 0), is_waste = 1) AS waste_usd_sum,
  quantilesTDigestIfState(0.5, 0.95, 0.99)(duration_ms, calls = 1) AS duration_ms_state
FROM {{database}}.usage
GROUP BY hour, team, feature, owner, pipeline, stage, provider, model;

CREATE TABLE IF NOT EXISTS {{database}}.usage_daily_customer {{on_cluster}} (
  day Date,
  team LowCardinality(String),
  customer String,
  feature LowCardinality(String),
  calls_sum SimpleAggregateFunction(sum, Int64),
  unpriced_calls_sum SimpleAggregateFunction(sum, Int64),
  unsettled_calls_sum SimpleAggregateFunction(sum, Int64),
  tokens_input_sum SimpleAggregateFunction(sum, Int64),
  tokens_output_sum SimpleAggregateFunction(sum, Int64),
  cost_usd_sum SimpleAggregateFunction(sum, Decimal(38, 18)),
  upper_bound_usd_sum SimpleAggregateFunction(sum, Decimal(38, 18)),
  waste_usd_sum SimpleAggregateFunction(sum, Decimal(38, 18))
) ENGINE = {{engine:AggregatingMergeTree}}
PARTITION BY toYYYYMM(day)
ORDER BY (team, customer, day, feature)
SETTINGS {{deduplication}}, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS {{database}}.usage_daily_customer_view {{on_cluster}}
TO {{database}}.usage_daily_customer AS
SELECT
  toDate(ts, 'UTC') AS day,
  team, customer, feature,
  sum(calls) AS calls_sum,
  sum(unpriced_calls) AS unpriced_calls_sum,
  sum(unsettled_calls) AS unsettled_calls_sum,
  sum(tokens_uncached_input + tokens_cache_read + tokens_cache_write_5m + tokens_cache_write_1h
    + tokens_audio_input + tokens_image_input) AS tokens_input_sum,
  sum(tokens_text_output + tokens_reasoning + tokens_audio_output + tokens_image_output) AS tokens_output_sum,
  sum(ifNull(cost_usd, 0)) AS cost_usd_sum,
  sum(ifNull(upper_bound_usd, 0)) AS upper_bound_usd_sum,
  sumIf(ifNull(cost_usd, 0), is_waste = 1) AS waste_usd_sum
FROM {{database}}.usage
GROUP BY day, team, customer, feature;

CREATE TABLE IF NOT EXISTS {{database}}.usage_batches {{on_cluster}} (
  batch String,
  team LowCardinality(String),
  feature LowCardinality(String),
  pipeline LowCardinality(String),
  stage LowCardinality(String),
  provider LowCardinality(String),
  model LowCardinality(String),
  first_ts_min SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
  last_ts_max SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
  calls_sum SimpleAggregateFunction(sum, Int64),
  unpriced_calls_sum SimpleAggregateFunction(sum, Int64),
  unsettled_calls_sum SimpleAggregateFunction(sum, Int64),
  tokens_input_sum SimpleAggregateFunction(sum, Int64),
  tokens_output_sum SimpleAggregateFunction(sum, Int64),
  cost_usd_sum SimpleAggregateFunction(sum, Decimal(38, 18)),
  upper_bound_usd_sum SimpleAggregateFunction(sum, Decimal(38, 18)),
  waste_usd_sum SimpleAggregateFunction(sum, Decimal(38, 18))
) ENGINE = {{engine:AggregatingMergeTree}}
ORDER BY (batch, team, feature, pipeline, stage, provider, model)
SETTINGS {{deduplication}}, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS {{database}}.usage_batches_view {{on_cluster}} TO {{database}}.usage_batches AS
SELECT
  batch, team, feature, pipeline, stage, provider, model,
  min(ts) AS first_ts_min,
  max(ts) AS last_ts_max,
  sum(calls) AS calls_sum,
  sum(unpriced_calls) AS unpriced_calls_sum,
  sum(unsettled_calls) AS unsettled_calls_sum,
  sum(tokens_uncached_input + tokens_cache_read + tokens_cache_write_5m + tokens_cache_write_1h
    + tokens_audio_input + tokens_image_input) AS tokens_input_sum,
  sum(tokens_text_output + tokens_reasoning + tokens_audio_output + tokens_image_output) AS tokens_output_sum,
  sum(ifNull(cost_usd, 0)) AS cost_usd_sum,
  sum(ifNull(upper_bound_usd, 0)) AS upper_bound_usd_sum,
  sumIf(ifNull(cost_usd, 0), is_waste = 1) AS waste_usd_sum
FROM {{database}}.usage
WHERE batch != ''
GROUP BY batch, team, feature, pipeline, stage, provider, model;
