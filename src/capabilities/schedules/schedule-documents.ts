import { z } from 'zod';
import { lanes } from '../../engine/pipeline/lane.ts';
import { formatUsd, usd } from '../../kernel/money.ts';
import { amountSchema, originSchema } from '../../http/document-parts.ts';
import { type Schedule, stateOf } from './schedule.ts';
import { overlapPolicies } from './schedule-definition.ts';
import { scheduleStates } from './schedule-metrics.ts';
import { timingOf } from './schedule-timing.ts';
import { missedPolicies } from './timing/plan-runs.ts';
import { timesAfter } from './timing/timing.ts';

/* Schedules as API and command line show them. */

const scheduleShape = {
  id: z.string(),
  team: z.string(),
  name: z.string(),
  source: z
    .enum(['operator', 'configuration'])
    .describe('Who says what it is: those who may operate, or the configuration.'),
  state: z
    .enum(scheduleStates)
    .describe(
      '"failing": its last run could not be admitted. "ended": it has no time that is still to come.',
    ),
  description: z.string().optional(),
  cron: z.string().optional(),
  timeZone: z.string(),
  every: z.string().optional(),
  startAt: z.string().optional(),
  endAt: z.string().optional(),
  jitter: z.string().optional(),
  missed: z.enum(missedPolicies),
  maxCatchUp: z.int(),
  overlap: z.enum(overlapPolicies),
  message: z.object({
    type: z.string(),
    schemaVersion: z.int(),
    data: z.unknown().optional().describe('Shown to keys with the scope "messages:data", of one schedule.'),
    origin: originSchema,
    item: z.string().optional(),
    lane: z.enum(lanes).optional(),
  }),
  nextAt: z.iso
    .datetime()
    .optional()
    .describe('Its next time; absent while it is paused, and when there is none.'),
  pausedAt: z.iso.datetime().optional(),
  pausedBy: z.string().optional(),
  failure: z
    .object({ since: z.iso.datetime(), code: z.string(), detail: z.string() })
    .optional()
    .describe('Why its last run could not be admitted.'),
  actor: z.string().describe('Who made it or changed it last.'),
  createdAt: z.iso.datetime(),
  changedAt: z.iso.datetime(),
};

export const scheduleSchema = z.object(scheduleShape);

const runSchema = z.object({
  at: z.iso
    .datetime()
    .describe('The time of the schedule, or at which it was asked for; of missed times the last.'),
  kind: z.enum(['scheduled', 'manual']),
  state: z
    .enum(['due', 'started', 'skipped', 'missed', 'failed'])
    .describe('"skipped": messages of the run before were open. "failed": the message was refused.'),
  messageIds: z
    .array(z.string())
    .describe('The messages that were admitted, one for each stage that consumes the type.'),
  endedAt: z.iso.datetime().optional().describe('When that was, or when it was left out.'),
  outcome: z
    .enum(['open', 'completed', 'failed', 'gone'])
    .optional()
    .describe(
      'Of one that started: of its messages and all that followed; "gone" when they have left the ledger.',
    ),
  messages: z.int().describe('How many there are in the ledger.'),
  calls: z.int(),
  costUsd: amountSchema.describe('What their calls cost, as far as it is known: an exact decimal string.'),
  unknownCalls: z.int().describe('Calls whose cost is not in it: under way, unpriced or of unknown outcome.'),
  firstAt: z.iso.datetime().optional().describe('Of missed times: the first.'),
  times: z.int().describe('How many times of the schedule this is about; more than one of missed ones.'),
  isAtLeast: z.boolean().describe('Whether there were more, which were not counted.'),
  errorCode: z.string().optional(),
  detail: z.string().optional(),
});

export const scheduleDetailSchema = z.object({
  ...scheduleShape,
  nextTimes: z
    .array(z.iso.datetime())
    .describe('Its next times, the earliest first, as if it were not paused.'),
  runs: z.array(runSchema).describe('The last first.'),
});

export const scheduleListSchema = z.object({
  schedules: z.array(scheduleSchema).describe('By team and name.'),
  next: z.string().optional().describe('Where the next page begins, for `after`; absent on the last page.'),
});

export const askedRunSchema = z.object({
  scheduleId: z.string(),
  at: z.iso
    .datetime()
    .describe(
      'Under which the run stands among those of the schedule. Its message is admitted within a second or so.',
    ),
});

export type ScheduleDocument = z.output<typeof scheduleSchema>;
export type ScheduleDetail = z.output<typeof scheduleDetailSchema>;
export type ScheduleList = z.output<typeof scheduleListSchema>;
export type AskedRun = z.output<typeof askedRunSchema>;
type RunDocument = z.output<typeof runSchema>;

export function scheduleDocument(
  schedule: Schedule,
  { showsData }: { readonly showsData: boolean },
): ScheduleDocument {
  const { definition, nextAt, pausedAt, pausedBy, failure } = schedule;
  const { message, ...rules } = definition;
  const { data, ...sent } = message;
  return {
    id: schedule.id,
    team: schedule.team,
    name: schedule.name,
    source: schedule.source,
    state: stateOf(schedule),
    ...rules,
    message: { ...sent, ...(showsData && data !== undefined ? { data } : {}) },
    ...(nextAt === undefined ? {} : { nextAt: nextAt.toISOString() }),
    ...(pausedAt === undefined ? {} : { pausedAt: pausedAt.toISOString() }),
    ...(pausedBy === undefined ? {} : { pausedBy }),
    ...(failure === undefined ? {} : { failure: { ...failure, since: failure.since.toISOString() } }),
    actor: schedule.actor,
    createdAt: schedule.createdAt.toISOString(),
    changedAt: schedule.changedAt.toISOString(),
  };
}

export function nextTimesOf({ definition, fromAt }: Schedule, now: Date, count: number): readonly string[] {
  const times = timesAfter(timingOf(definition, fromAt), now.getTime(), count);
  return times.map((ms) => new Date(ms).toISOString());
}

/** A run as the ledger answers it. */
export interface RunRow {
  readonly at: Date;
  readonly kind: RunDocument['kind'];
  readonly state: RunDocument['state'];
  readonly message_ids: readonly string[] | null;
  readonly ended_at: Date | null;
  readonly first_at: Date | null;
  readonly times: number;
  readonly is_at_least: boolean;
  readonly error_code: string | null;
  readonly detail: string | null;
  readonly messages: number;
  readonly open: number;
  readonly failed: number;
  readonly calls: number;
  readonly cost_usd: string;
  readonly unknown_calls: number;
}

export function runDocument(row: RunRow): RunDocument {
  const { ended_at: endedAt, first_at: firstAt, error_code: errorCode, detail } = row;
  return {
    at: row.at.toISOString(),
    kind: row.kind,
    state: row.state,
    messageIds: [...(row.message_ids ?? [])],
    ...(endedAt === null ? {} : { endedAt: endedAt.toISOString() }),
    ...(row.state === 'started' ? { outcome: outcomeOf(row) } : {}),
    messages: row.messages,
    calls: row.calls,
    costUsd: formatUsd(usd(row.cost_usd)),
    unknownCalls: row.unknown_calls,
    ...(firstAt === null ? {} : { firstAt: firstAt.toISOString() }),
    times: row.times,
    isAtLeast: row.is_at_least,
    ...(errorCode === null ? {} : { errorCode }),
    ...(detail === null ? {} : { detail }),
  };
}

function outcomeOf({ messages, open, failed }: RunRow): NonNullable<RunDocument['outcome']> {
  if (messages === 0) return 'gone';
  if (open > 0) return 'open';
  return failed > 0 ? 'failed' : 'completed';
}
