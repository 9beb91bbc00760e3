import { z } from 'zod';
import { isTimeZone } from '../../kernel/time-zone.ts';
import { positiveAmount, setting, wholeNumber } from '../../kernel/setting.ts';

/** The settings of cost reports and of the baseline of spend. */
export const costSettings = z
  .strictObject({
    reports: z
      .strictObject({
        maxSeconds: setting(wholeNumber(1, 3_600).default(20), {
          env: 'MILLRACE_REPORT_MAX_SECONDS',
          help: 'How long ClickHouse may work on one cost report (`max_execution_time`); one that takes longer is answered 422.',
        }),
        maxMemoryBytes: setting(wholeNumber(10_000_000, 1_000_000_000_000).default(1_000_000_000), {
          env: 'MILLRACE_REPORT_MAX_MEMORY_BYTES',
          help: 'How much memory ClickHouse may take for one (`max_memory_usage`); embedded at most 400 MB.',
        }),
        maxRows: setting(wholeNumber(1_000, 100_000_000).default(100_000), {
          env: 'MILLRACE_REPORT_MAX_ROWS',
          help: 'How many rows the result of one may have (`max_result_rows`).',
        }),
        timeZone: setting(
          z
            .string()
            .refine(isTimeZone, 'must be the name of a time zone, as in Europe/Berlin')
            .default('UTC'),
          {
            env: 'MILLRACE_REPORT_TIME_ZONE',
            help: 'Whose days, weeks and months reports and statements have where a question names no time zone: an IANA name.',
          },
        ),
      })
      .prefault({}),
    focus: z
      .strictObject({
        billingAccount: setting(z.string().min(1).max(128).default('millrace'), {
          env: 'MILLRACE_FOCUS_BILLING_ACCOUNT',
          help: 'The BillingAccountId of FOCUS exports: what names this installation among your bills.',
        }),
      })
      .prefault({}),
    baseline: z
      .strictObject({
        intervalMs: setting(wholeNumber(1000, 86_400_000).default(300_000), {
          env: 'MILLRACE_SPEND_BASELINE_INTERVAL_MS',
          help: 'Pause between two comparisons of spend with what is usual.',
        }),
        days: setting(wholeNumber(1, 31).default(7), {
          env: 'MILLRACE_SPEND_BASELINE_DAYS',
          help: 'How many previous days say what is usual.',
        }),
        minimumDays: setting(wholeNumber(1, 31).default(2), {
          env: 'MILLRACE_SPEND_BASELINE_MINIMUM_DAYS',
          help: 'A team, customer or feature with fewer days of history is not compared.',
        }),
        hourFloorUsd: setting(positiveAmount.default('1'), {
          env: 'MILLRACE_SPEND_BASELINE_HOUR_FLOOR_USD',
          help: 'The least that counts as usual in an hour, in dollars: spend below it is never too high.',
        }),
        dayFloorUsd: setting(positiveAmount.default('5'), {
          env: 'MILLRACE_SPEND_BASELINE_DAY_FLOOR_USD',
          help: 'The same for a day so far.',
        }),
      })
      .prefault({}),
  })
  .prefault({});

export type CostSettings = z.output<typeof costSettings>;
