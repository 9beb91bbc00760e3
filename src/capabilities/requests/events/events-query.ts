import { z } from 'zod';
import { readWholeNumber, wholeNumberOrText } from '../../../kernel/written-number.ts';
import { invalidRequest } from '../../../http/request-faults.ts';

export const streamFormats = ['native', 'ui-message-stream'] as const;

/** GET /v1/requests/{id}/events: the query string. */
export const eventsQuerySchema = z.strictObject({
  after: wholeNumberOrText('is the id of an event').optional(),
  format: z.enum(streamFormats, { error: `is any of ${streamFormats.join(', ')}` }).default('native'),
  whenEnded: z.enum(['replay', 'none'], { error: 'is replay or none' }).default('replay'),
  token: z.string().max(4096).optional(),
});

export type EventsQuery = z.output<typeof eventsQuerySchema>;

/** Ids are microseconds of a clock: those far ahead were given by nobody. */
const aheadUs = 2 * 3_600_000_000;

/**
 * After which event a client reads on: as its header says, which a browser sends when it connects again, else as its URL
 * says. Throws MILLRACE_REQUEST_INVALID for what no event has as its id.
 */
export function positionOf(lastEventId: string | undefined, query: EventsQuery, now: Date): number {
  const isHeader = lastEventId !== undefined && lastEventId !== '';
  const after = isHeader ? readWholeNumber(lastEventId) : (query.after ?? 0);
  if (after !== undefined && after <= now.getTime() * 1000 + aheadUs) return after;
  throw invalidRequest([
    { field: isHeader ? 'Last-Event-ID' : 'after', problem: 'is not the id of an event of this stream' },
  ]);
}
