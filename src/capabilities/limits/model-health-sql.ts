import { named } from '../../drivers/sql-database/sql-statement.ts';

/* Every statement about how models are doing. Windows are ten seconds long and begin on the database's clock. */

const presentWindow = `date_bin('10 seconds', clock_timestamp(), timestamptz 'epoch')`;
const remaining = (openUntil: string): string =>
  `greatest(0, extract(epoch from ${openUntil} - clock_timestamp()) * 1000)::float8`;

/**
 * $1 what was counted since the last time (without a window: the present one), $2 and $3 the spans of the circuit and
 * of the retry budget in milliseconds. Answers every model's circuit and sums as they stood before; forgets old windows.
 */
export const countModels = named(
  'admission.count_models',
  `with present as materialized (select ${presentWindow} as starts),
   told as materialized (
     select t.provider, t.model, coalesce(t.window_start, p.starts) as window_start, sum(t.firsts)::int as firsts,
       sum(t.retries)::int as retries, sum(t.successes)::int as successes, sum(t.failures)::int as failures,
       sum(t.timeouts)::int as timeouts
     from json_to_recordset($1::json) as t(provider text, model text, window_start timestamptz, firsts int, retries int,
       successes int, failures int, timeouts int) cross join present p
     group by 1, 2, 3),
   written as (
     insert into millrace.model_windows as w (provider, model, window_start, firsts, retries, successes, failures, timeouts)
     select provider, model, window_start, firsts, retries, successes, failures, timeouts from told order by 1, 2, 3
     on conflict (provider, model, window_start) do update
     set firsts = w.firsts + excluded.firsts, retries = w.retries + excluded.retries,
       successes = w.successes + excluded.successes, failures = w.failures + excluded.failures,
       timeouts = w.timeouts + excluded.timeouts),
   forgotten as (
     delete from millrace.model_windows where (provider, model, window_start) in (
       select o.provider, o.model, o.window_start from millrace.model_windows o cross join present p
       where o.window_start < p.starts - greatest($2::float8, $3::float8) * interval '1 millisecond' - interval '1 minute'
       order by 1, 2, 3 limit 500 for update of o skip locked)),
   sums as (
     select w.provider, w.model,
       coalesce(sum(w.successes) filter (where w.window_start > p.starts - $2::float8 * interval '1 millisecond'), 0)::int as successes,
       coalesce(sum(w.failures) filter (where w.window_start > p.starts - $2::float8 * interval '1 millisecond'), 0)::int as failures,
       coalesce(sum(w.timeouts) filter (where w.window_start > p.starts - $2::float8 * interval '1 millisecond'), 0)::int as timeouts,
       coalesce(sum(w.firsts) filter (where w.window_start > p.starts - $3::float8 * interval '1 millisecond'), 0)::int as firsts,
       coalesce(sum(w.retries) filter (where w.window_start > p.starts - $3::float8 * interval '1 millisecond'), 0)::int as retries
     from millrace.model_windows w cross join present p
     group by 1, 2)
   select provider, model, coalesce(h.state, 'closed') as state, coalesce(h.opens, 0) as opens,
     coalesce(h.probes_out, 0) as probes_out, coalesce(h.probe_successes, 0) as probe_successes,
     coalesce(h.version, 0)::int as version, h.opened_at, coalesce(${remaining('h.open_until')}, 0) as remaining_ms,
     coalesce(extract(epoch from clock_timestamp() - h.probed_at) * 1000, 0)::float8 as since_probe_ms,
     coalesce(s.successes, 0) as successes, coalesce(s.failures, 0) as failures, coalesce(s.timeouts, 0) as timeouts,
     coalesce(s.firsts, 0) as firsts, coalesce(s.retries, 0) as retries
   from sums s full join millrace.model_health h using (provider, model)`,
);

/** $1 provider, $2 model: its circuit, locked until the transaction ends; made closed when there is none yet. */
export const lockCircuit = named(
  'admission.lock_circuit',
  `insert into millrace.model_health as h (provider, model, state, opens, probes_out, probe_successes, version, reason, changed_at)
   values ($1, $2, 'closed', 0, 0, 0, 0, '', clock_timestamp())
   on conflict (provider, model) do update set version = h.version
   returning state, opens, probes_out, probe_successes, version::int as version, opened_at,
     coalesce(${remaining('open_until')}, 0) as remaining_ms`,
);

/**
 * $1 provider, $2 model, $3 to $6 the circuit, $7 for how long it is open from now on (null: as it was), $8 whether a
 * probe was taken, $9 why its state changed (null: it did not).
 */
export const writeCircuit = named(
  'admission.write_circuit',
  `update millrace.model_health
   set state = $3, opens = $4, probes_out = $5, probe_successes = $6, version = version + 1,
     opened_at = case when $7::float8 is null then opened_at else clock_timestamp() end,
     open_until = case when $7::float8 is null then open_until else clock_timestamp() + $7::float8 * interval '1 millisecond' end,
     probed_at = case when $8::boolean then clock_timestamp() else probed_at end,
     reason = coalesce($9::text, reason),
     changed_at = case when $9::text is null then changed_at else clock_timestamp() end
   where provider = $1 and model = $2
   returning state, opens, probes_out, probe_successes, version::int as version, opened_at,
     coalesce(${remaining('open_until')}, 0) as remaining_ms`,
);

/** $1 provider, $2 model: what led to the circuit's opening is past. Attempts stay counted. */
export const forgetOutcomes = named(
  'admission.forget_outcomes',
  `update millrace.model_windows set successes = 0, failures = 0, timeouts = 0 where provider = $1 and model = $2`,
);

/** $1 a model. One at a time counts its retries: whoever waits here sees what the one before has written. */
export const lockRetries = named(
  'admission.lock_retries',
  `select pg_advisory_xact_lock(hashtextextended('millrace.retries ' || $1::text, 0))`,
);

/** $1 provider, $2 model, $3 how many retries are wanted, $4 floor, $5 share, $6 the span in milliseconds. Answers how many are permitted. */
export const grantRetries = named(
  'admission.grant_retries',
  `with present as materialized (select ${presentWindow} as starts),
   spent as materialized (
     select coalesce(sum(w.firsts), 0) as firsts, coalesce(sum(w.retries), 0) as retries
     from millrace.model_windows w cross join present p
     where w.provider = $1 and w.model = $2 and w.window_start > p.starts - $6::float8 * interval '1 millisecond'),
   permitted as materialized (
     select greatest(0, least($3::int, floor($4::float8 + $5::float8 * firsts)::int - retries))::int as retries from spent),
   written as (
     insert into millrace.model_windows as w (provider, model, window_start, firsts, retries, successes, failures, timeouts)
     select $1, $2, p.starts, 0, permitted.retries, 0, 0, 0 from permitted cross join present p where permitted.retries > 0
     on conflict (provider, model, window_start) do update set retries = w.retries + excluded.retries)
   select permitted.retries, p.starts as window_start from permitted cross join present p`,
);

/** Circuits that are not closed, for people. */
export const listTroubled = named(
  'admission.list_troubled',
  `select provider, model, state, opens, reason, changed_at, coalesce(${remaining('open_until')}, 0) as remaining_ms
   from millrace.model_health where state <> 'closed' order by provider, model`,
);
