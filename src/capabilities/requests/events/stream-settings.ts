import { z } from 'zod';
import { secretText, setting, wholeNumber } from '../../../kernel/setting.ts';

/** The part `streams` of the section `requests` of the configuration. */
export const streamSettings = z
  .strictObject({
    maxOpen: setting(wholeNumber(0, 1_000_000).default(10_000), {
      env: 'MILLRACE_REQUESTS_STREAMS',
      help: 'Streams of events that are open at once, by process; one more is answered 503 with Retry-After. They take none of `http.limits.concurrentRequests`.',
    }),
    maxOpenPerKey: setting(wholeNumber(0, 1_000_000).default(5000), {
      env: 'MILLRACE_REQUESTS_STREAMS_PER_KEY',
      help: 'Of these, of one API key; one more is answered 429.',
    }),
    logEvents: setting(wholeNumber(100, 1_000_000).default(20_000), {
      env: 'MILLRACE_REQUESTS_LOG_EVENTS',
      help: 'Events in the log of one request; beyond them the oldest are dropped, which streams say.',
    }),
    logBytes: setting(wholeNumber(65_536, 67_108_864).default(4_194_304), {
      env: 'MILLRACE_REQUESTS_LOG_BYTES',
      help: 'Bytes of events in the log of one request; beyond them the oldest are dropped, which streams say.',
    }),
    keptSeconds: setting(wholeNumber(60, 604_800).default(3600), {
      env: 'MILLRACE_REQUESTS_LOG_KEPT_SECONDS',
      help: 'For how long the log of a request is kept after its latest event.',
    }),
    keptEndedSeconds: setting(wholeNumber(1, 604_800).default(900), {
      env: 'MILLRACE_REQUESTS_LOG_KEPT_ENDED_SECONDS',
      help: 'For how long the log of a request is kept after its end, where text was published; otherwise a minute.',
    }),
    tokenSeconds: setting(wholeNumber(10, 86_400).default(900), {
      env: 'MILLRACE_REQUESTS_STREAM_TOKEN_SECONDS',
      help: 'For how long a stream token opens streams; one that is open stays open.',
    }),
    tokenSecret: setting(secretText.min(32, 'must have at least 32 characters').optional(), {
      env: 'MILLRACE_REQUESTS_STREAM_TOKEN_SECRET',
      help: 'What stream tokens are signed with, the same for all processes. Without it the ledger keeps one.',
      secret: true,
    }),
  })
  .prefault({});

export type StreamSettings = z.output<typeof streamSettings>;
