import { z } from 'zod';

export const pipelineSummarySchema = z.object({
  name: z.string(),
  isDeclared: z.boolean().describe('Whether `definePipeline` says what goes in and out.'),
  inputs: z
    .array(z.string())
    .describe('The declared input; else the types that its stages consume and no stage emits.'),
  outputs: z
    .array(z.string())
    .describe('The declared output; else the types that its stages emit and no stage consumes.'),
  stages: z.int(),
  owners: z.array(z.string()).describe('The teams that own its stages.'),
});
export type PipelineSummary = z.output<typeof pipelineSummarySchema>;

export const pipelineListSchema = z.object({ pipelines: z.array(pipelineSummarySchema) });
export type PipelineList = z.output<typeof pipelineListSchema>;

export const pipelineSchema = pipelineSummarySchema.omit({ stages: true, owners: true }).extend({
  stages: z
    .array(
      z.object({
        name: z.string(),
        owner: z.string(),
        consumes: z.object({ type: z.string(), versions: z.array(z.int()) }),
        emits: z.array(
          z.object({
            type: z.string(),
            version: z.int(),
            isJoin: z.boolean().describe('Whether it may wait for other messages of the same run.'),
            consumers: z.array(z.string()).describe('The stages that consume it; none for an output.'),
          }),
        ),
        models: z.array(z.string()).describe('The models that the stage says it asks.'),
      }),
    )
    .describe('In the order in which messages come to them.'),
});
export type PipelineDocument = z.output<typeof pipelineSchema>;
