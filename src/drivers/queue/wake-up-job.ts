import type { Job, JobsOptions } from 'bullmq';
import type { Origin } from '../../messages/origin.ts';
import type { WakeUp } from './queue.ts';

/** What a BullMQ job of a wake-up call carries, beside the message's id in its own. */
export interface WakeUpData {
  readonly fence: number;
  readonly origin: Origin;
  readonly lane: string;
  readonly traceParent?: string;
}

/** A job as BullMQ's addBulk takes it. */
export interface NewJob {
  readonly name: string;
  readonly data: WakeUpData;
  readonly opts: JobsOptions & { readonly jobId: string };
}

const uuidLength = 36;

/** The job for a wake-up call. Its name is the lane, its id the message's, with the fence when that is above 0. */
export function jobOf({ messageId, fence, origin, lane, traceParent, delayMs = 0 }: WakeUp): NewJob {
  return {
    name: lane,
    data: { fence, origin, lane, ...(traceParent === undefined ? {} : { traceParent }) },
    opts: {
      jobId: fence > 0 ? `${messageId}-${fence}` : messageId,
      ...(delayMs > 0 ? { delay: Math.ceil(delayMs) } : {}),
    },
  };
}

/** The wake-up call of a job. */
export function wakeUpOf({ id = '', data }: Pick<Job<WakeUpData>, 'id' | 'data'>): WakeUp {
  return { messageId: id.slice(0, uuidLength), ...data };
}
