import { z } from 'zod';

export const streamTokenSchema = z.object({
  token: z.string().describe('For `?token=`. It is good for the events of this request only.'),
  expiresAt: z.iso.datetime(),
  url: z.string().describe('Where the events are, with the token: for `new EventSource(url)`.'),
});

export type StreamTokenDocument = z.output<typeof streamTokenSchema>;
