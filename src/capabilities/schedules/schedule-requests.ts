import { z } from 'zod';
import { wholeNumberOrText } from '../../kernel/written-number.ts';
import { originName } from '../../messages/origin.ts';
import { scheduleFields, scheduleFits, scheduleName } from './schedule-definition.ts';
import { requiredReason } from '../../http/change-reason.ts';

/* What may be asked of schedules, by request or on the command line. */

export const maxListed = 200;
export const maxShown = 100;

const count = (most: number, usual: number, least = 0) => {
  const problem = `is a whole number from ${least} to ${most}`;
  return wholeNumberOrText(problem)
    .refine((value) => value >= least && value <= most, problem)
    .default(usual);
};
const place = z
  .string()
  .max(400)
  .transform((value, context) => {
    const slash = value.indexOf('/');
    const [name, team] = [value.slice(0, Math.max(0, slash)), value.slice(slash + 1)];
    if (scheduleName.safeParse(name).success && originName.safeParse(team).success) return { name, team };
    context.addIssue({ code: 'custom', message: 'is the "next" of an earlier answer' });
    return z.NEVER;
  });

/** POST /v1/schedules and PUT /v1/schedules/{id}: the body. */
export const scheduleRequestSchema = z
  .strictObject({ name: scheduleName, ...scheduleFields, reason: requiredReason.optional() })
  .superRefine(scheduleFits);
export type ScheduleRequest = z.output<typeof scheduleRequestSchema>;

/** GET /v1/schedules: the query string. */
export const listSchedulesSchema = z.strictObject({
  limit: count(maxListed, 50, 1),
  after: place.optional(),
});

/** GET /v1/schedules/{id}: the query string. */
export const showScheduleSchema = z.strictObject({
  nextTimes: count(maxShown, 10),
  runs: count(maxShown, 20),
});

/** POST /v1/schedules/{id}/pause, resume and run: the body. DELETE: the query string. */
export const scheduleOrderSchema = z.strictObject({ reason: requiredReason });

/** A place in the list as an answer's "next" carries it. */
export function placeText({ team, name }: { readonly team: string; readonly name: string }): string {
  return `${name}/${team}`;
}
