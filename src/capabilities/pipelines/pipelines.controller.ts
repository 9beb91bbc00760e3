import { Controller, Get, Header, Inject, Param } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import { RequireScope } from '../../http/caller.ts';
import { jsonOf } from '../../http/json-content.ts';
import type { PipelineDocument, PipelineList } from './pipeline-documents.ts';
import { Pipelines } from './pipelines.ts';

/** What goes into pipelines, what comes out, and their stages. */
@ApiTags('pipelines')
@ApiBearerAuth()
@RequireScope('operations:read')
@Controller('v1/pipelines')
export class PipelinesController {
  readonly #pipelines: Pipelines;

  constructor(@Inject(Pipelines) pipelines: Pipelines) {
    this.#pipelines = pipelines;
  }

  @Get()
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'listPipelines',
    summary: 'The pipelines of this host',
    description: 'With the types that go in and come out, as they are declared or follow from the stages.',
  })
  @ApiResponse({ status: 200, description: 'The pipelines, by name.', content: jsonOf('PipelineList') })
  list(): PipelineList {
    return this.#pipelines.list();
  }

  @Get(':name')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'getPipeline',
    summary: 'A pipeline with its stages',
    description:
      'Its graph: which stage consumes and emits which types, and what may wait for other messages.',
  })
  @ApiParam({ name: 'name', description: 'Of the pipeline.', schema: { type: 'string', maxLength: 200 } })
  @ApiResponse({ status: 200, description: 'The pipeline.', content: jsonOf('Pipeline') })
  get(@Param('name') name: string): PipelineDocument {
    return this.#pipelines.get(name);
  }
}
