import type { HttpPart } from '../http-part.ts';
import { pipelineListSchema, pipelineSchema } from './pipeline-documents.ts';
import { PipelinesController } from './pipelines.controller.ts';
import { Pipelines } from './pipelines.ts';

/** The part of the HTTP API. */
export const httpPart: HttpPart = {
  controllers: [PipelinesController],
  services: [Pipelines],
  answers: { PipelineList: pipelineListSchema, Pipeline: pipelineSchema },
};
