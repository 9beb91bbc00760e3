import { z } from 'zod';
import { isTimeZone } from '../../../kernel/time-zone.ts';
import type { ClosedPeriod } from './period-ledger.ts';
import { optionalReason, requiredReason } from '../../../http/change-reason.ts';

/* The requests and answers about closed periods. */

const month = z
  .string()
  .regex(/^2[01]\d{2}-(?:0[1-9]|1[0-2])$/, 'is a month ("2026-11") of the years 2000 to 2199')
  .describe('The month: "2026-10".');

/** POST /v1/periods/close: the body. */
export const closePeriodSchema = z.strictObject({
  month,
  timeZone: z
    .string()
    .refine(isTimeZone, 'is the name of a time zone ("Europe/Berlin", "UTC")')
    .optional()
    .describe('Whose month; that of reports and statements without it.'),
  reason: optionalReason,
});

/** POST /v1/periods/reopen: the body. */
export const reopenPeriodSchema = z.strictObject({
  month,
  reason: requiredReason,
});

/** A closed period. */
export const closedPeriodSchema = z.object({
  month: z.string(),
  timeZone: z.string(),
  from: z.iso.datetime(),
  to: z.iso.datetime().describe('Excluded.'),
  closedAt: z.iso.datetime(),
  closedBy: z.string().optional().describe('Absent for a key that is bound to a team.'),
  reason: z.string().optional().describe('Absent for a key that is bound to a team.'),
  reopened: z
    .object({
      at: z.iso.datetime(),
      by: z.string().optional().describe('Absent for a key that is bound to a team.'),
      reason: z.string().optional().describe('Absent for a key that is bound to a team.'),
    })
    .optional()
    .describe('Present where it was opened again.'),
});

/** The answer of GET /v1/periods. */
export const periodListSchema = z.object({
  periods: z
    .array(closedPeriodSchema)
    .describe('Every closing, the earliest period first, those that were opened again among them.'),
});

export type PeriodOrder = z.output<typeof closePeriodSchema>;
export type ReopenOrder = z.output<typeof reopenPeriodSchema>;
export type ClosedPeriodDocument = z.output<typeof closedPeriodSchema>;
export type PeriodList = z.output<typeof periodListSchema>;

/** The period as it is told. */
export function periodDocument({
  from,
  to,
  closedAt,
  reopened,
  ...rest
}: ClosedPeriod): ClosedPeriodDocument {
  return {
    ...rest,
    from: from.toISOString(),
    to: to.toISOString(),
    closedAt: closedAt.toISOString(),
    ...(reopened === undefined ? {} : { reopened: { ...reopened, at: reopened.at.toISOString() } }),
  };
}

/** The same for one who is bound to a team: not who closes periods for all teams, nor in what words. */
export function periodDocumentOfTeam(period: ClosedPeriod): ClosedPeriodDocument {
  const { closedBy: _, reason: __, reopened, ...rest } = periodDocument(period);
  return { ...rest, ...(reopened === undefined ? {} : { reopened: { at: reopened.at } }) };
}
