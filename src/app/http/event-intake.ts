import { z } from 'zod';
import type { ApiKeyIdentity } from '../../costs/api-keys.ts';
import { assertTeamAllowed } from '../../costs/caller.ts';
import { AppError } from '../../kernel/app-error.ts';
import { parseCloudEvent, type ReceivedEvent } from '../../messages/cloud-event.ts';
import type { Admissions } from '../../pipeline/admissions.ts';
import { type Lane, lanes } from '../../pipeline/lane.ts';

/*
 * CloudEvents from outside on their way into the pipeline. An event is admitted completely or not at all: everything
 * about it is checked before the first row is written. Events of one request stand alone; a repeat with the same
 * source and id changes nothing, so a request whose answer got lost can simply be made again.
 */

export const eventReceiptSchema = z.object({
  source: z.string(),
  id: z.string().describe('The id of the event, as it was sent.'),
  outcome: z.enum(['admitted', 'duplicate']),
  messageIds: z.array(z.string()).describe('One for each stage that consumes the event.'),
});

export type EventReceipt = z.output<typeof eventReceiptSchema>;

const laneSchema = z.enum(lanes).optional();

export class EventIntake {
  readonly #admissions: Pick<Admissions, 'admitUnchecked'>;

  constructor(admissions: Pick<Admissions, 'admitUnchecked'>) {
    this.#admissions = admissions;
  }

  /**
   * Admits one event for the caller; durable when it resolves. Throws MILLRACE_REQUEST_INVALID, MILLRACE_FORBIDDEN
   * for an origin of another team than the caller's, and what Admissions throws.
   */
  async admit(value: unknown, caller: ApiKeyIdentity): Promise<EventReceipt> {
    const event = parseCloudEvent(value);
    assertTeamAllowed(caller, event.origin.team);
    const lane = laneOf(event);
    const { outcome, messageIds } = await this.#admissions.admitUnchecked(
      { typeName: event.type, version: event.version, data: event.data },
      {
        origin: event.origin,
        id: event.id,
        source: event.source,
        ...(event.item === undefined ? {} : { item: event.item }),
        ...(lane === undefined ? {} : { lane }),
        ...(event.traceParent === undefined ? {} : { traceParent: event.traceParent }),
      },
    );
    return { source: event.source, id: event.id, outcome, messageIds: [...messageIds] };
  }
}

function laneOf(event: ReceivedEvent): Lane | undefined {
  const lane = laneSchema.safeParse(event.lane);
  if (lane.success) return lane.data;
  const problem = `must be any of ${lanes.join(', ')}`;
  throw new AppError('MILLRACE_REQUEST_INVALID', `The CloudEvent is not valid: lane: ${problem}`, {
    faults: [{ field: 'lane', problem }],
  });
}
