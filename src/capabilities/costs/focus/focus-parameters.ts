import { z } from 'zod';
import { invalidRequest } from '../../../http/request-faults.ts';
import { type CostReportRequest, moment, once, yesOrNo } from '../cost-parameters.ts';
import { filterParameters, readQuestion } from '../question-parameters.ts';
import { type FocusGrain, focusGrains } from './focus-query.ts';

/* The query string of GET /v1/focus as a question. */

/** What is asked for, complete. `from` and `to` are at the start of an hour or a day of the grain, UTC. */
export interface FocusRequest {
  readonly from: Date;
  readonly to: Date;
  readonly grain: FocusGrain;
  readonly hasTokenDetails: boolean;
  readonly filters: CostReportRequest['filters'];
}

const stepMs: Readonly<Record<FocusGrain, number>> = { hour: 3_600_000, day: 86_400_000 };
const maxDays = 366;

const parametersSchema = z.strictObject({
  from: moment.optional(),
  to: moment.optional(),
  granularity: once
    .pipe(z.enum(focusGrains, { error: `is any of ${focusGrains.join(', ')}` }))
    .default('day'),
  token_details: yesOrNo.default(false),
  ...filterParameters,
});

/**
 * The question in a parsed query string: without a period, from the start of the month to the last whole hour or day. Throws
 * MILLRACE_REQUEST_INVALID with every fault.
 */
export function parseFocusParameters(query: unknown, now: Date): FocusRequest {
  const { parameters, filters } = readQuestion(parametersSchema, query);
  const { granularity: grain, token_details: hasTokenDetails } = parameters;
  const step = stepMs[grain];
  const to = parameters.to ?? new Date(Math.floor(now.getTime() / step) * step);
  const from = parameters.from ?? startOfMonthBefore(to);
  const misplaced = Object.entries({ from, to }).filter(([, time]) => time.getTime() % step !== 0);
  if (misplaced.length > 0) {
    throw invalidRequest(
      misplaced.map(([field]) => ({
        field,
        problem: `is the start of ${grain === 'day' ? 'a day' : 'an hour'} in UTC`,
      })),
    );
  }
  if (from >= to) {
    throw invalidRequest([
      { field: 'from', problem: `lies before the end of the period, ${to.toISOString()}` },
    ]);
  }
  if (to.getTime() - from.getTime() > maxDays * stepMs.day) {
    throw invalidRequest([
      { field: 'from', problem: `lies at most ${maxDays} days before the end of the period` },
    ]);
  }
  return { from, to, grain, hasTokenDetails, filters };
}

/** The start of the month in which the period's last moment lies. */
function startOfMonthBefore(end: Date): Date {
  const last = new Date(end.getTime() - 1);
  return new Date(Date.UTC(last.getUTCFullYear(), last.getUTCMonth(), 1));
}
