import { z } from 'zod';
import { isStorableText, storableProblem } from '../../../kernel/storable-text.ts';
import { disconnectRules } from '../request.ts';

/* What is sent to ask for a run of a pipeline. A field that is not known is a fault: a mistyped one that is ignored would do something else. */

const name = z.string().min(1).max(128, 'has at most 128 characters').refine(isStorableText, storableProblem);

/** Who caused the work, as far as the key does not say it. Checked as every origin is, when it is whole. */
const originPart = z.strictObject({
  team: name.optional().describe('The team that pays. Default the team of the key.'),
  customer: name.optional().describe('On whose behalf. Default what the key says.'),
  feature: name.optional().describe('The product feature that asks. Default what the key says.'),
  labels: z.record(z.string(), z.string()).optional().describe('Free labels, at most 16.'),
});

/** The longest time that a request goes on without a listener before it is cancelled. */
const maxGraceSeconds = 3600;

/** POST /v1/pipelines/{name}/requests: the body. */
export const submitRequestSchema = z.strictObject({
  data: z.unknown().describe("The data of the pipeline's input, as the schema of its type wants it."),
  type: name.optional().describe('Where the pipeline takes in several types, which one this is.'),
  version: z
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .describe('Version of the schema of the data. Default the newest.'),
  origin: originPart.optional(),
  onDisconnect: z
    .enum(disconnectRules)
    .default('continue')
    .describe(
      'What happens when the last listener to its events has left: it goes on, or is cancelled after the grace time.',
    ),
  disconnectGraceSeconds: z
    .int()
    .min(0)
    .max(maxGraceSeconds)
    .default(10)
    .describe('For how long another listener may come, before it is cancelled.'),
  webhook: z
    .string()
    .min(1)
    .max(64, 'has at most 64 characters')
    .refine(isStorableText, storableProblem)
    .optional()
    .describe(
      'The name of a webhook that is told of its end: of the team, or of the configuration where that is open to the team.',
    ),
});

export type SubmitRequest = z.output<typeof submitRequestSchema>;
