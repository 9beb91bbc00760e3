-- Sums lie in the parts of usage itself, as aggregating projections: no view, no table that could differ from the rows.
-- Their expressions are those of src/engine/export/spend-sums.ts, and a test compares them. What three views kept was read by nothing.
DROP VIEW IF EXISTS {{database}}.usage_hourly_view {{on_cluster}};
DROP VIEW IF EXISTS {{database}}.usage_daily_customer_view {{on_cluster}};
DROP VIEW IF EXISTS {{database}}.usage_batches_view {{on_cluster}};
DROP TABLE IF EXISTS {{database}}.usage_hourly {{on_cluster}};
DROP TABLE IF EXISTS {{database}}.usage_daily_customer {{on_cluster}};
DROP TABLE IF EXISTS {{database}}.usage_batches {{on_cluster}};

ALTER TABLE {{database}}.usage {{on_cluster}} ADD PROJECTION IF NOT EXISTS spend_by_day (
  SELECT
    toDate(ts, 'UTC'), team, feature, pipeline, stage, provider, model,
    sum(toDecimal256(ifNull(cost_usd, 0), 18)),
    sumIf(toDecimal256(ifNull(cost_usd, 0), 18), is_waste = 1),
    sum(toDecimal256(ifNull(upper_bound_usd, 0), 18)),
    sum(calls),
    sum(unpriced_calls),
    sum(unsettled_calls),
    sum(estimated_calls),
    sum(suspect_calls),
    sum(toInt128(tokens_uncached_input) + toInt128(tokens_cache_read) + toInt128(tokens_cache_write_5m) + toInt128(tokens_cache_write_1h) + toInt128(tokens_audio_input) + toInt128(tokens_image_input)),
    sum(toInt128(tokens_text_output) + toInt128(tokens_reasoning) + toInt128(tokens_audio_output) + toInt128(tokens_image_output)),
    sum(toInt128(tokens_cache_read)),
    uniqCombined64IfState(12)(message_id, message_id != toUUID('00000000-0000-0000-0000-000000000000'))
  GROUP BY toDate(ts, 'UTC'), team, feature, pipeline, stage, provider, model
);

ALTER TABLE {{database}}.usage {{on_cluster}} ADD PROJECTION IF NOT EXISTS spend_by_hour (
  SELECT
    toStartOfHour(ts), team, feature, pipeline, stage, provider, model, batch, waste_reason,
    sum(toDecimal256(ifNull(cost_usd, 0), 18)),
    sumIf(toDecimal256(ifNull(cost_usd, 0), 18), is_waste = 1),
    sum(toDecimal256(ifNull(upper_bound_usd, 0), 18)),
    sum(calls),
    sum(unpriced_calls),
    sum(unsettled_calls),
    sum(estimated_calls),
    sum(suspect_calls),
    sum(toInt128(tokens_uncached_input) + toInt128(tokens_cache_read) + toInt128(tokens_cache_write_5m) + toInt128(tokens_cache_write_1h) + toInt128(tokens_audio_input) + toInt128(tokens_image_input)),
    sum(toInt128(tokens_text_output) + toInt128(tokens_reasoning) + toInt128(tokens_audio_output) + toInt128(tokens_image_output)),
    sum(toInt128(tokens_cache_read))
  GROUP BY toStartOfHour(ts), team, feature, pipeline, stage, provider, model, batch, waste_reason
);

ALTER TABLE {{database}}.usage {{on_cluster}} ADD PROJECTION IF NOT EXISTS customers_by_day (
  SELECT
    toDate(ts, 'UTC'), team, customer, feature,
    sum(toDecimal256(ifNull(cost_usd, 0), 18)),
    sumIf(toDecimal256(ifNull(cost_usd, 0), 18), is_waste = 1),
    sum(toDecimal256(ifNull(upper_bound_usd, 0), 18)),
    sum(calls),
    sum(unpriced_calls),
    sum(unsettled_calls),
    sum(estimated_calls),
    sum(suspect_calls),
    sum(toInt128(tokens_uncached_input) + toInt128(tokens_cache_read) + toInt128(tokens_cache_write_5m) + toInt128(tokens_cache_write_1h) + toInt128(tokens_audio_input) + toInt128(tokens_image_input)),
    sum(toInt128(tokens_text_output) + toInt128(tokens_reasoning) + toInt128(tokens_audio_output) + toInt128(tokens_image_output)),
    sum(toInt128(tokens_cache_read))
  GROUP BY toDate(ts, 'UTC'), team, customer, feature
);

-- Rows from before get theirs in the background; until then their parts are read row by row, with the same sums.
ALTER TABLE {{database}}.usage {{on_cluster}} MATERIALIZE PROJECTION IF EXISTS spend_by_day;
ALTER TABLE {{database}}.usage {{on_cluster}} MATERIALIZE PROJECTION IF EXISTS spend_by_hour;
ALTER TABLE {{database}}.usage {{on_cluster}} MATERIALIZE PROJECTION IF EXISTS customers_by_day;
