import { z } from 'zod';
import { lanes } from '../../engine/pipeline/lane.ts';
import { type Duration, parseDurationMs } from '../../kernel/duration.ts';
import { isReportable, reportableYears } from '../../kernel/reportable-time.ts';
import { isStorableText, storableProblem } from '../../kernel/storable-text.ts';
import { isTimeZone } from '../../kernel/time-zone.ts';
import { eventFields } from '../../messages/event-fields.ts';
import { labelKeyPattern, originName } from '../../messages/origin.ts';
import { cronProblem } from './timing/cron-times.ts';
import { missedPolicies } from './timing/plan-runs.ts';

/* What a schedule says, in requests and in the configuration. */

/** Whether a run begins while what followed from the run before is still under way. */
export const overlapPolicies = ['allow', 'skip'] as const;

const maxEveryMs = 366 * 86_400_000;
const maxJitterMs = 3_600_000;

/** The name of a schedule. */
export const scheduleName = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9._-]{0,62}$/,
    'must be 1 to 63 lower-case letters, digits, dots, dashes, underscores',
  );

const duration = (mostMs: number, problem: string) =>
  z
    .string()
    .max(32)
    .refine((text): text is Extract<Duration, string> => {
      const ms = parseDurationMs(text);
      return ms !== undefined && ms > 0 && ms <= mostMs && Number.isInteger(ms);
    }, problem);
const moment = z.iso
  .datetime({ offset: true, error: 'is a time with its zone, as in 2026-03-01T12:00:00Z' })
  .refine((text) => isReportable(new Date(text)), reportableYears);

const originSchema = z.strictObject({
  team: originName,
  customer: originName,
  feature: originName,
  labels: z
    .record(z.string().regex(labelKeyPattern, 'keys are lower case: [a-z][a-z0-9_.-]*'), originName)
    .refine((labels) => Object.keys(labels).length <= 16, 'at most 16 labels')
    .optional(),
});

const messageSchema = z.strictObject({
  type: eventFields.text.describe('The message type, as a stage consumes it.'),
  schemaVersion: z.int().min(1).max(2_147_483_647).default(1).describe("Version of the data's schema."),
  data: z.unknown().optional().describe("The message data, as the type's schema wants it."),
  origin: originSchema.describe('Who causes the work.'),
  item: eventFields.text
    .optional()
    .describe('The thing worked on; costs are shown by it. Default: the name of the schedule.'),
  lane: z.enum(lanes).optional(),
});

/** What a schedule says beside its name. */
export const scheduleFields = {
  description: z
    .string()
    .max(500, 'has at most 500 characters')
    .refine(isStorableText, storableProblem)
    .optional(),
  cron: z
    .string()
    .max(200)
    .superRefine((text, context) => {
      const problem = cronProblem(text);
      if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
    })
    .optional()
    .describe(
      'Five fields (minute, hour, day of the month, month, day of the week), or six with seconds first.',
    ),
  timeZone: z
    .string()
    .max(64)
    .refine(isTimeZone, 'must be a time zone, such as Europe/Berlin')
    .default('UTC')
    .describe('Whose clocks the cron expression goes by.'),
  every: duration(maxEveryMs, 'must be a duration such as "90s", "15m" or "7d", of 366 days at most')
    .optional()
    .describe('In even steps, in place of a cron expression: "90s", "15m", "7d".'),
  startAt: moment.optional().describe('No time before this one.'),
  endAt: moment.optional().describe('No time after this one.'),
  jitter: duration(maxJitterMs, 'must be a duration of an hour at most, such as "30s"')
    .optional()
    .describe('Every time is later by a part of this, always the same one of a schedule.'),
  missed: z
    .enum(missedPolicies)
    .default('once')
    .describe(
      'What becomes of times for which nobody was there within a minute: none of them runs, the last, or all.',
    ),
  maxCatchUp: z
    .int()
    .min(1)
    .max(1000)
    .default(100)
    .describe('The most missed times that `all` makes up for: the last.'),
  overlap: z
    .enum(overlapPolicies)
    .default('allow')
    .describe('Whether a run begins while messages of the one before are open, or is skipped.'),
  message: messageSchema,
};

interface JoinedFields {
  readonly cron?: string | undefined;
  readonly every?: string | undefined;
  readonly timeZone: string;
  readonly startAt?: string | undefined;
  readonly endAt?: string | undefined;
}

/** What fields must say together. */
export function scheduleFits(
  { cron, every, timeZone, startAt, endAt }: JoinedFields,
  context: z.RefinementCtx,
): void {
  const fault = (path: string, message: string): void => {
    context.addIssue({ code: 'custom', path: [path], message });
  };
  if (cron === undefined && every === undefined) fault('cron', 'one of cron and every is needed');
  if (cron !== undefined && every !== undefined)
    fault('every', 'a schedule has cron or every: for both, make two');
  if (every !== undefined && timeZone !== 'UTC') fault('timeZone', 'even steps know no time zone');
  if (startAt !== undefined && endAt !== undefined && new Date(endAt) < new Date(startAt))
    fault('endAt', 'is not before startAt');
}

const definitionSchema = z.strictObject(scheduleFields).superRefine(scheduleFits);

/** What a schedule says, all defaults filled in. */
export type ScheduleDefinition = z.output<typeof definitionSchema>;

/** As the ledger has it. */
export function storedDefinition(definition: ScheduleDefinition): string {
  return JSON.stringify(definition);
}

/** The definition in a row: what was checked when it was written, with the defaults of members that were not known then. */
export function definitionOf(stored: string): ScheduleDefinition {
  return definitionSchema.parse(JSON.parse(stored));
}
