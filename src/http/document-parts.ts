import { z } from 'zod';
import type { Origin } from '../messages/origin.ts';

/* What the documents of several capabilities have in common. */

/** An amount in US dollars: an exact decimal string. */
export const amountSchema = z.string().regex(/^-?\d+(\.\d+)?$/);

/** Who caused the work. */
export const originSchema = z.object({
  team: z.string(),
  customer: z.string(),
  feature: z.string(),
  batch: z.string().optional(),
  labels: z.record(z.string(), z.string()).optional(),
});

/** An origin as documents have it. */
export function originDocument(origin: Origin): z.output<typeof originSchema> {
  return { ...origin, ...(origin.labels === undefined ? {} : { labels: { ...origin.labels } }) };
}
