import { z } from 'zod';
import { lanes } from '../../engine/pipeline/lane.ts';
import type { AdmitOptions } from '../../engine/pipeline/admissions.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { scheduleSources } from '../../messages/reserved-source.ts';
import type { ScheduleDefinition } from './schedule-definition.ts';

/* The message of a run. Its source is the schedule's and its id the time, so that it is one message however often it is admitted. */

const storedSchema = z.object({
  type: z.string(),
  schemaVersion: z.int(),
  data: z.unknown().optional(),
  origin: z.object({
    team: z.string(),
    customer: z.string(),
    feature: z.string(),
    labels: z.record(z.string(), z.string()).optional(),
  }),
  item: z.string(),
  lane: z.enum(lanes).optional(),
});

/** What a run keeps of its schedule until its message is admitted. */
export function storedMessage(name: string, { message }: Pick<ScheduleDefinition, 'message'>): string {
  return JSON.stringify({ ...message, item: message.item ?? name });
}

/** What is admitted for a run. */
export function messageOfRun(
  stored: string,
  run: { readonly scheduleId: Uuid; readonly at: Date; readonly kind: 'scheduled' | 'manual' },
): {
  readonly sent: { readonly typeName: string; readonly version: number; readonly data: unknown };
  readonly options: AdmitOptions;
} {
  const { type, schemaVersion, data, origin, item, lane } = storedSchema.parse(JSON.parse(stored));
  const { labels, ...names } = origin;
  const time = run.at.toISOString();
  return {
    sent: { typeName: type, version: schemaVersion, data },
    options: {
      origin: labels === undefined ? names : { ...names, labels },
      source: `${scheduleSources}${run.scheduleId}`,
      // An operator may ask for a run at the very time of the schedule: it is another one.
      id: run.kind === 'manual' ? `${time} manual` : time,
      item,
      ...(lane === undefined ? {} : { lane }),
    },
  };
}
