import { z } from 'zod';

/** Who is told of a batch. */
export const notifySchema = z.strictObject({
  webhook: z
    .string()
    .min(1)
    .max(64)
    .describe('The name of a webhook of the team, or of one of the configuration, `webhooks.endpoints`.'),
});
