import { z } from 'zod';
import { streamSettings } from './events/stream-settings.ts';
import { lanes } from '../../engine/pipeline/lane.ts';
import { setting, wholeNumber } from '../../kernel/setting.ts';

/** The section `requests` of the configuration. */
export const requestsSettings = z
  .strictObject({
    idempotencyHours: setting(wholeNumber(1, 720).default(24), {
      env: 'MILLRACE_REQUESTS_IDEMPOTENCY_HOURS',
      help: 'For how many hours an `Idempotency-Key` stands for its request.',
    }),
    maxWaitSeconds: setting(wholeNumber(0, 600).default(55), {
      env: 'MILLRACE_REQUESTS_MAX_WAIT_SECONDS',
      help: 'The longest that an answer waits for the end of a request (`Prefer: wait`); keep it below the time-outs of proxies.',
    }),
    waits: setting(wholeNumber(0, 100_000).default(200), {
      env: 'MILLRACE_REQUESTS_WAITS',
      help: 'Answers that wait for the ends of requests at once, by process; one more is answered without waiting. Each takes one of `http.limits.concurrentRequests`.',
    }),
    maxQueued: setting(wholeNumber(1, 100_000_000).default(100_000), {
      env: 'MILLRACE_REQUESTS_MAX_QUEUED',
      help: 'Messages that may wait at the first stage of a pipeline; with more, new requests are answered 503 with Retry-After.',
    }),
    lanes: z
      .strictObject({
        paid: setting(z.enum(lanes).optional(), {
          env: 'MILLRACE_REQUESTS_LANE_PAID',
          help: 'The lane of requests by keys of the tier `paid`. Without it the stage chooses, as for keys without a tier.',
        }),
        free: setting(z.enum(lanes).default('bulk'), {
          env: 'MILLRACE_REQUESTS_LANE_FREE',
          help: 'The lane of requests by keys of the tier `free`.',
        }),
      })
      .prefault({}),
    inlineResultBytes: setting(wholeNumber(0, 1_048_576).default(65_536), {
      env: 'MILLRACE_REQUESTS_INLINE_RESULT_BYTES',
      help: 'Results up to this many bytes of JSON lie in the ledger, larger ones in the payload store.',
    }),
    resultBytes: setting(wholeNumber(1024, 67_108_864).default(16_777_216), {
      env: 'MILLRACE_REQUESTS_RESULT_BYTES',
      help: 'The largest result; a request whose pipeline says more fails.',
    }),
    resultBytesInFlight: setting(wholeNumber(1024, 17_179_869_184).default(134_217_728), {
      env: 'MILLRACE_REQUESTS_RESULT_BYTES_IN_FLIGHT',
      help: 'Bytes of results that are being sent at once, by process; of one key a fifth, or one largest result. Beyond them answers are refused with Retry-After.',
    }),
    streams: streamSettings,
  })
  .prefault({});

export type RequestsSettings = z.output<typeof requestsSettings>;
