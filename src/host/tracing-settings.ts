import { z } from 'zod';
import { originFields } from '../telemetry/origin-attributes.ts';
import { positiveAmount, decimalNumber, setting, urlOf, wholeNumber } from '../kernel/setting.ts';

/** Whether spans are made, where they go, which are kept, and what they show. */
export const tracingSettings = z
  .strictObject({
    endpoint: setting(urlOf('http:', 'https:').optional(), {
      env: 'OTEL_EXPORTER_OTLP_ENDPOINT',
      help: 'OTLP/HTTP endpoint that spans are sent to. Without it none are recorded.',
    }),
    sampleRatio: setting(decimalNumber(0, 1).default(1), {
      env: 'MILLRACE_TRACE_SAMPLE_RATIO',
      help: 'Share of traces that are exported, 0 to 1. Traces with an error, a dead letter or an expensive run are exported besides.',
    }),
    keepAboveUsd: setting(positiveAmount.default('0.10'), {
      env: 'MILLRACE_TRACE_KEEP_ABOVE_USD',
      help: 'Traces with a run that cost so many dollars or more are always exported.',
    }),
    originAttributes: setting(
      z
        .preprocess(
          (value) => (typeof value === 'string' ? value.split(',').map((part) => part.trim()) : value),
          z.array(z.enum(originFields)),
        )
        .default([...originFields]),
      {
        env: 'MILLRACE_TRACE_ORIGIN',
        help: 'The parts of the origin that spans and baggage show: `team`, `feature`, `batch`, `customer`, separated by commas. An empty list in the file: none.',
      },
    ),
    fanOutLinks: setting(wholeNumber(0, 1_000_000).default(16), {
      env: 'MILLRACE_TRACE_FAN_OUT_LINKS',
      help: 'A run that emits more messages than this is linked to their traces; up to it they stay in its own.',
    }),
  })
  .prefault({});
