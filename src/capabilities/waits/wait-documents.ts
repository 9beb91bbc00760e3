import { z } from 'zod';

export const waitSchema = z.object({
  id: z.uuid().describe('Of the message that waits.'),
  rootId: z.uuid(),
  pipeline: z.string(),
  stage: z.string().describe('The stage that goes on with it.'),
  type: z.string().describe('What its data has to be.'),
  version: z.int(),
  team: z.string(),
  customer: z.string(),
  feature: z.string(),
  note: z.string().optional().describe('What is waited for, in words of the stage.'),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  onExpiry: z
    .enum(['default', 'dead_letter'])
    .describe('What becomes of it then: it goes on with data of its stage, or is given up.'),
});
export type WaitDocument = z.output<typeof waitSchema>;

export const waitListSchema = z.object({
  waits: z.array(waitSchema),
  next: z.string().optional().describe('Where the next page begins; absent where there is none.'),
});
export type WaitList = z.output<typeof waitListSchema>;

export const completedWaitSchema = z.object({
  id: z.uuid().describe('Of the message that goes on.'),
  stage: z.string(),
});
export type CompletedWait = z.output<typeof completedWaitSchema>;
