import { metricCatalogue } from '../src/host/metric-catalogue.ts';

/*
 * Colours of series whose name has a meaning: the values of closed labels, the same on every board. Good is green, worse
 * is orange and red, and no two values of a label look alike. A value that is new in the catalogue has no colour here
 * and does not compile. Names are Grafana's.
 */

const { labels: stageEnd } = metricCatalogue.stage_messages_total;
const { labels: backlog } = metricCatalogue.stage_backlog;
const { labels: job } = metricCatalogue.queue_jobs;
const { labels: token } = metricCatalogue.tokens_total;
const { labels: parking } = metricCatalogue.messages_parked_total;
const { labels: retry } = metricCatalogue.stage_retries_total;
const { labels: death } = metricCatalogue.dead_letters_total;
const { labels: action } = metricCatalogue.dead_letter_actions_total;
const { labels: request } = metricCatalogue.llm_requests_total;
const { labels: metering } = metricCatalogue.metering_events_total;
const { labels: sweep } = metricCatalogue.sweeper_republished_total;
const { labels: openBatch } = metricCatalogue.batches;
const { labels: batchItem } = metricCatalogue.batch_items;
const { labels: batchChunk } = metricCatalogue.batch_chunks;
const { labels: schedule } = metricCatalogue.schedules;
const { labels: scheduleRun } = metricCatalogue.schedule_runs_total;
const { labels: providerBatch } = metricCatalogue.provider_batches;
const { labels: payload } = metricCatalogue.payload_bytes_total;

type Colours<Values extends readonly string[]> = Readonly<Record<Values[number], string>>;

/** Ends of messages, as metrics and as ClickHouse name them. */
export const outcomeColours: Colours<typeof stageEnd.outcome> & Readonly<Record<string, string>> = {
  success: 'green',
  completed: 'green',
  failed: 'orange',
  dead_lettered: 'red',
  skipped: 'text',
  cancelled: 'text',
};

export const backlogColours: Colours<typeof backlog.state> = {
  ready: 'blue',
  delayed: 'yellow',
  parked: 'orange',
  scheduled: 'super-light-blue',
  leased: 'green',
};

export const laneColours: Colours<typeof backlog.lane> = {
  interactive: 'blue',
  standard: 'green',
  short: 'purple',
  bulk: 'yellow',
};

export const jobColours: Colours<typeof job.state> = {
  waiting: 'blue',
  delayed: 'yellow',
  active: 'green',
};

export const tokenColours: Colours<typeof token.class> = {
  uncached_input: 'blue',
  cache_read: 'super-light-blue',
  cache_write_5m: 'dark-blue',
  cache_write_1h: 'light-blue',
  audio_input: 'yellow',
  image_input: 'orange',
  text_output: 'green',
  reasoning: 'purple',
  audio_output: 'light-yellow',
  image_output: 'light-orange',
};

export const parkingColours: Colours<typeof parking.reason> = {
  pause: 'orange',
  circuit: 'red',
  rate_limit: 'yellow',
  budget: 'purple',
  retry_budget: 'light-red',
  version: 'blue',
  provider_batch: 'green',
  shared_answer: 'light-green',
};

export const retryColours: Colours<typeof retry.reason> = {
  rate_limited: 'yellow',
  timeout: 'purple',
  provider_error: 'orange',
  network: 'light-purple',
  store_unavailable: 'dark-red',
  lease_expired: 'dark-orange',
  invalid_output: 'blue',
  error: 'red',
};

export const deathColours: Colours<typeof death.reason> = {
  attempts_exhausted: 'orange',
  not_retryable: 'red',
  invalid_output: 'blue',
  message_invalid: 'purple',
  message_unsupported: 'light-purple',
  payload_missing: 'yellow',
  stalled: 'dark-red',
  wait_expired: 'light-blue',
};

export const actionColours: Colours<typeof action.action> = { replayed: 'green', discarded: 'orange' };

type RequestErrors = Exclude<(typeof request.error_type)[number], ''>;

export const errorColours: Readonly<Record<RequestErrors, string>> = {
  rate_limited: 'yellow',
  overloaded: 'orange',
  server_error: 'red',
  timeout: 'purple',
  network: 'light-purple',
  stream_cut: 'super-light-purple',
  conflict: 'dark-purple',
  bad_request: 'dark-blue',
  content_policy: 'blue',
  context_too_long: 'super-light-blue',
  authentication: 'dark-red',
  not_found: 'dark-yellow',
  malformed_answer: 'light-red',
  redirected: 'light-blue',
  answer_too_large: 'light-yellow',
  stalled: 'light-orange',
  aborted: 'text',
  failed: 'dark-orange',
};

export const meteringColours: Colours<typeof metering.result> = {
  accepted: 'blue',
  flushed: 'green',
  retried: 'orange',
  dropped: 'red',
};

/** How the usage of a call is known. */
export const settlementColours = {
  reported: 'green',
  estimated: 'yellow',
  unsettled: 'orange',
  free: 'blue',
} as const;

/** Why money was spent for nothing. */
export const wasteColours = {
  failed: 'red',
  aborted: 'orange',
  duplicate: 'purple',
  retried: 'yellow',
  invalid_output: 'blue',
} as const;

export const sweepColours: Readonly<Record<string, string>> = {
  'lease expired': 'red',
  ...prefixed('again: ', {
    unpublished: 'blue',
    expired: 'orange',
    store_emptied: 'purple',
    overdue: 'yellow',
    join: 'green',
  } satisfies Colours<typeof sweep.reason>),
};

export const scheduleColours: Colours<typeof schedule.state> = {
  active: 'green',
  paused: 'yellow',
  failing: 'red',
  ended: 'text',
};

export const runColours: Colours<typeof scheduleRun.result> = {
  started: 'green',
  skipped: 'yellow',
  missed: 'orange',
  failed: 'red',
};

export const batchColours: Colours<typeof openBatch.state> = {
  receiving: 'blue',
  running: 'green',
  paused: 'yellow',
  halted: 'red',
  cancelling: 'orange',
};

/** Of items of batches, open and ended ones. */
export const itemColours: Colours<typeof batchItem.state> = {
  waiting: 'text',
  running: 'blue',
  succeeded: 'green',
  failed: 'red',
  expired: 'orange',
  cancelled: 'purple',
  skipped: 'yellow',
};

export const chunkColours: Colours<typeof batchChunk.state> = {
  waiting: 'text',
  running: 'blue',
  failed: 'red',
};

export const providerBatchColours: Colours<typeof providerBatch.state> = {
  planned: 'text',
  uploading: 'light-blue',
  uploaded: 'blue',
  creating: 'dark-blue',
  running: 'green',
  ended: 'light-orange',
  collected: 'yellow',
  settled: 'purple',
  unresolved: 'red',
};

export const payloadColours: Colours<typeof payload.op> = { put: 'blue', get: 'green' };

/** The same colours for names with something in front of them. */
function prefixed(prefix: string, colours: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(colours).map(([name, colour]) => [`${prefix}${name}`, colour]));
}
