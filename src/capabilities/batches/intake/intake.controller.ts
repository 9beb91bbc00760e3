import {
  Body,
  Controller,
  Get,
  Header,
  HttpCode,
  HttpStatus,
  Inject,
  Param,
  Post,
  Put,
  Query,
  Req,
  Res,
} from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiBody,
  ApiOperation,
  ApiParam,
  ApiQuery,
  ApiResponse,
  ApiTags,
} from '@nestjs/swagger';
import type { ApiKeyIdentity } from '../../../http/api-key-identity.ts';
import { Caller, RequireScope } from '../../../http/caller.ts';
import { whileConnected } from '../../../http/while-connected.ts';
import { jsonOf } from '../../../http/json-content.ts';
import { operatorOf } from '../../../http/operator.ts';
import { parseRequest } from '../../../http/request-faults.ts';
import type { ResponseWriter } from '../../../http/response-writer.ts';
import { batchDocument, type BatchDocument } from '../batch-document.ts';
import { BatchIntake } from './batch-intake.ts';
import { cellTypes } from './input/cell-types.ts';
import type { BatchEstimate } from './estimate-document.ts';
import { type BatchUpload, type StartedBatch, uploadDocument } from './intake-documents.ts';
import {
  createBatchSchema,
  discardBatchSchema,
  startBatchSchema,
  uploadQuerySchema,
} from './intake-requests.ts';
import { lineForms } from './input/jsonl-records.ts';
import { inputOfRequest } from './upload-body.ts';

const idParameter = {
  name: 'id',
  schema: { type: 'string', format: 'uuid' },
  description: 'The id of the batch.',
};
const column = (name: string, what: string) => ({
  name,
  required: false,
  schema: { type: 'string', minLength: 1, maxLength: 256 },
  description: `CSV and Parquet: the column with ${what}. It is data too, unless it is left out.`,
});

/** The way in for batches: made, filled, estimated, started. */
@ApiTags('batches')
@ApiBearerAuth()
@Controller('v1/batches')
export class BatchIntakeController {
  readonly #intake: BatchIntake;

  constructor(@Inject(BatchIntake) intake: BatchIntake) {
    this.#intake = intake;
  }

  @Post()
  @RequireScope('messages:write')
  @HttpCode(HttpStatus.CREATED)
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'createBatch',
    summary: 'Make a batch, which takes items until it is started',
    description:
      'The same request again answers the batch that it has made, as it is by then. Every item is one message of the type.',
  })
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/CreateBatchRequest' } })
  @ApiResponse({ status: 201, description: 'It is made.', content: jsonOf('Batch') })
  @ApiResponse({ status: 200, description: 'The same request has made it before.', content: jsonOf('Batch') })
  async create(
    @Body() body: unknown,
    @Caller() caller: ApiKeyIdentity,
    @Res({ passthrough: true }) response: ResponseWriter,
  ): Promise<BatchDocument> {
    const { batch, isNew } = await this.#intake.create(
      parseRequest(createBatchSchema, body),
      operatorOf(caller),
    );
    if (!isNew) response.status(HttpStatus.OK);
    return batchDocument(batch);
  }

  @Put(':id/items')
  @RequireScope('messages:write')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'uploadBatchItems',
    summary: 'Send the items of a batch, in the place of all that were sent before',
    description:
      'Read and checked as they arrive, to the end: every fault is listed by its line or row, and with one fault no item is kept, unless the ' +
      'batch was made with onInvalid "skip". JSON Lines and CSV may be compressed (content-encoding: gzip).',
  })
  @ApiParam(idParameter)
  @ApiQuery({
    name: 'form',
    required: false,
    schema: { type: 'string', enum: [...lineForms], default: 'item' },
    description:
      'JSON Lines: a line is an item, {"id"?, "data", "customer"?, "team"?, "labels"?}, or the bare data.',
  })
  @ApiQuery({
    name: 'types',
    required: false,
    schema: { type: 'string', enum: [...cellTypes], default: 'text' },
    description: 'CSV: cells are texts, or JSON where they are JSON; empty ones are then left out.',
  })
  @ApiQuery(column('idColumn', 'the ids of the items'))
  @ApiQuery(column('customerColumn', 'their customers'))
  @ApiQuery(column('teamColumn', 'their teams, for keys of all teams'))
  @ApiQuery({
    name: 'omit',
    required: false,
    schema: { type: 'string', maxLength: 25_600 },
    description: 'CSV and Parquet: columns that are no data, separated by commas.',
  })
  @ApiBody({ required: true, schema: { type: 'string', format: 'binary' } })
  @ApiResponse({ status: 200, description: 'All items are here.', content: jsonOf('BatchUpload') })
  async upload(
    @Param('id') id: string,
    @Query() query: unknown,
    @Body() body: unknown,
    @Req() request: object,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<BatchUpload> {
    const asked = parseRequest(uploadQuerySchema, query);
    return await whileConnected(request, async (signal) => {
      const input = inputOfRequest(request, body, { query: asked, signal });
      return uploadDocument(await this.#intake.upload(id, input, { team: caller.team }));
    });
  }

  @Get(':id/estimate')
  @RequireScope('messages:write')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'estimateBatch',
    summary: 'What a batch is expected to cost',
    description:
      'By what messages of the same type and team cost of late, at the prices of now, in each mode; and what the budgets that concern it have left.',
  })
  @ApiParam(idParameter)
  @ApiResponse({ status: 200, description: 'The estimate.', content: jsonOf('BatchEstimate') })
  async estimate(@Param('id') id: string, @Caller() { team }: ApiKeyIdentity): Promise<BatchEstimate> {
    return await this.#intake.estimate(id, { team });
  }

  @Post(':id/start')
  @RequireScope('messages:write')
  @HttpCode(HttpStatus.OK)
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'startBatch',
    summary: 'Let a batch run whose items are all here',
    description:
      'One that was started already is answered as it is. With dryRun nothing is started. One that is expected to use more (p90) than what a budget ' +
      'that stops calls has left is refused with 409 MILLRACE_BATCH_OVER_BUDGET, unless it is forced.',
  })
  @ApiParam(idParameter)
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/StartBatchRequest' } })
  @ApiResponse({ status: 200, description: 'It runs.', content: jsonOf('StartedBatch') })
  async start(
    @Param('id') id: string,
    @Body() body: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<StartedBatch> {
    const { dryRun, force, reason } = parseRequest(startBatchSchema, body);
    const operator = operatorOf(caller);
    if (dryRun) {
      const estimate = await this.#intake.estimate(id, operator);
      return { dryRun, batch: batchDocument(await this.#intake.find(id, operator)), estimate };
    }
    return { dryRun, batch: batchDocument(await this.#intake.start(id, reason, operator, { force })) };
  }

  @Post(':id/discard')
  @RequireScope('messages:write')
  @HttpCode(HttpStatus.OK)
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'discardBatch',
    summary: 'Give up a batch that was not started, and remove its items',
    description: 'Its name is free again. One that runs is cancelled instead. Answers it as it was.',
  })
  @ApiParam(idParameter)
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/DiscardBatchRequest' } })
  @ApiResponse({ status: 200, description: 'It is gone.', content: jsonOf('Batch') })
  async discard(
    @Param('id') id: string,
    @Body() body: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<BatchDocument> {
    const { reason } = parseRequest(discardBatchSchema, body);
    return batchDocument(await this.#intake.discard(id, reason, operatorOf(caller)));
  }
}
