import { z } from 'zod';
import { setting, wholeNumber } from '../../kernel/setting.ts';
import { scheduleFields, scheduleFits, scheduleName } from './schedule-definition.ts';

const configuredSchema = z.strictObject({ name: scheduleName, ...scheduleFields }).superRefine(scheduleFits);

/** One schedule of a configuration. */
export type ConfiguredSchedule = z.output<typeof configuredSchema>;

function namesDiffer(schedules: readonly ConfiguredSchedule[], context: z.RefinementCtx): void {
  const names = schedules.map(({ name, message }) => `${message.origin.team} ${name}`);
  for (const [index, name] of names.entries()) {
    if (names.indexOf(name) === index) continue;
    context.addIssue({
      code: 'custom',
      path: [index, 'name'],
      message: 'is the name of another schedule of the team',
    });
  }
}

/** The settings of schedules. */
export const scheduleSettings = z
  .strictObject({
    configured: setting(z.array(configuredSchema).max(1000).superRefine(namesDiffer).optional(), {
      help: 'Schedules beside those that are made by requests: `{name, cron: "0 6 * * 1-5" or every: "15m", timeZone: "Europe/Berlin", startAt?, endAt?, jitter?, missed: skip | once | all, overlap: allow | skip, message: {type, data, origin: {team, customer, feature}}}` (docs/schedules.md). A process with the maintenance role makes them so when it starts: what was configured before and is no longer is deleted. Without this, none is touched.',
    }),
    maxPerTeam: setting(wholeNumber(1, 100_000).default(1000), {
      env: 'MILLRACE_SCHEDULES_MAX_PER_TEAM',
      help: 'The most schedules of a team.',
    }),
    max: setting(wholeNumber(1, 1_000_000).default(10_000), {
      env: 'MILLRACE_SCHEDULES_MAX',
      help: 'The most schedules of all teams.',
    }),
    shortestIntervalSeconds: setting(wholeNumber(1, 86_400).default(10), {
      env: 'MILLRACE_SCHEDULES_SHORTEST_INTERVAL_SECONDS',
      help: 'The shortest time between two runs of a schedule. Those that were made before are not touched.',
    }),
  })
  .prefault({});

export type ScheduleSettings = z.output<typeof scheduleSettings>;
