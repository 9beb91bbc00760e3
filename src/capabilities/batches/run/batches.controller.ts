import type { Readable } from 'node:stream';
import { Controller, Get, Header, Headers, Inject, Param, Query, Res, StreamableFile } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiParam, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import { acceptedFormat } from '../../../http/accepted-format.ts';
import { type ApiKeyIdentity, hasScope } from '../../../http/api-key-identity.ts';
import { Caller, RequireScope } from '../../../http/caller.ts';
import { jsonOf } from '../../../http/json-content.ts';
import { parseRequest } from '../../../http/request-faults.ts';
import type { ResponseWriter } from '../../../http/response-writer.ts';
import { AppError } from '../../../kernel/app-error.ts';
import type { BatchDocument } from '../batch-document.ts';
import { batchStates, checkStates, itemStates } from '../batch.ts';
import { type OutputFormat, outputFormatNames, outputFormats } from '../done/output-formats.ts';
import { BatchFiles } from './batch-files.ts';
import { BatchService } from './batch-service.ts';
import type { BatchChunks, BatchItems, BatchList } from './run-documents.ts';
import {
  listBatchesSchema,
  listChunksSchema,
  listItemsSchema,
  maxListed,
  nothingSchema,
  outputSchema,
} from './run-requests.ts';

const linesType = outputFormats.jsonl.mediaType;
const outputTypes = outputFormatNames.map((name) => outputFormats[name].mediaType);
const reference = {
  name: 'id',
  description: 'The id of the batch, or its name.',
  schema: { type: 'string' },
} as const;
const limit = {
  name: 'limit',
  required: false,
  description: 'The most entries in the answer.',
  schema: { type: 'integer', minimum: 1, maximum: maxListed, default: 50 },
} as const;
const after = {
  name: 'after',
  required: false,
  description: 'The "next" of the answer before.',
  schema: { type: 'string' },
} as const;
const manyOf = (name: string, description: string, schema: object) =>
  ({
    name,
    required: false,
    style: 'form',
    explode: true,
    description: `${description}; repeat it for more than one.`,
    schema: { type: 'array', items: schema },
  }) as const;

/** Batches for those who watch them and take what they have made. A key bound to a team sees that team's only. */
@ApiTags('batches')
@ApiBearerAuth()
@Controller('v1/batches')
export class BatchesController {
  readonly #service: BatchService;
  readonly #files: BatchFiles;

  constructor(@Inject(BatchService) service: BatchService, @Inject(BatchFiles) files: BatchFiles) {
    this.#service = service;
    this.#files = files;
  }

  @Get()
  @RequireScope('operations:read')
  @Header('cache-control', 'no-store')
  @ApiOperation({ operationId: 'listBatches', summary: 'Batches, newest first' })
  @ApiQuery(manyOf('state', 'Only batches in this state', { type: 'string', enum: [...batchStates] }))
  @ApiQuery(manyOf('pipeline', 'Only batches of this pipeline', { type: 'string' }))
  @ApiQuery(limit)
  @ApiQuery(after)
  @ApiResponse({ status: 200, description: 'A page.', content: jsonOf('BatchList') })
  async list(@Query() query: unknown, @Caller() caller: ApiKeyIdentity): Promise<BatchList> {
    const { filter, ...page } = parseRequest(listBatchesSchema, query);
    return await this.#service.list(filter, caller, page);
  }

  @Get(':id')
  @RequireScope('operations:read')
  @Header('cache-control', 'no-store')
  @ApiOperation({ operationId: 'getBatch', summary: 'One batch, and how far it has come' })
  @ApiParam(reference)
  @ApiResponse({ status: 200, description: 'The batch.', content: jsonOf('Batch') })
  async get(
    @Param('id') id: string,
    @Query() query: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<BatchDocument> {
    parseRequest(nothingSchema, query);
    return await this.#service.show(id, caller);
  }

  @Get(':id/chunks')
  @RequireScope('operations:read')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'listBatchChunks',
    summary: 'How far the chunks of a batch have come',
    description: 'Chunks beside each other in the same state are one entry, with its first and last.',
  })
  @ApiParam(reference)
  @ApiQuery(limit)
  @ApiQuery(after)
  @ApiResponse({ status: 200, description: 'A page.', content: jsonOf('BatchChunks') })
  async chunks(
    @Param('id') id: string,
    @Query() query: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<BatchChunks> {
    return await this.#service.chunks(id, caller, parseRequest(listChunksSchema, query));
  }

  @Get(':id/items')
  @RequireScope('operations:read')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'listBatchItems',
    summary: 'Items of a batch, in the order of the input',
    description:
      'With their errors and what they cost. What was sent of an item that did not succeed is shown with the scope `messages:data`.',
  })
  @ApiParam(reference)
  @ApiQuery(manyOf('state', 'Only items in this state', { type: 'string', enum: [...itemStates] }))
  @ApiQuery(
    manyOf('check', 'Only items that the quality gate judged so', { type: 'string', enum: [...checkStates] }),
  )
  @ApiQuery(limit)
  @ApiQuery(after)
  @ApiResponse({ status: 200, description: 'A page.', content: jsonOf('BatchItems') })
  async items(
    @Param('id') id: string,
    @Query() query: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<BatchItems> {
    const page = parseRequest(listItemsSchema, query);
    return await this.#service.items(id, caller, { ...page, maySeeData: hasScope(caller, 'messages:data') });
  }

  @Get(':id/output')
  @RequireScope('messages:data')
  @Header('vary', 'Accept')
  @ApiOperation({
    operationId: 'getBatchOutput',
    summary: 'What a batch has made: a line or a row an item, in the order of the input',
    description:
      'JSON Lines, sent as they are read: id, position, status, outputs or error, costUsd and tokens of the answers that were used. ' +
      'Or the same as Parquet, with the columns id, position, status, outputs (JSON), error_code, error_message, cost (DECIMAL(38, 18)), ' +
      'currency, input_tokens, output_tokens and attempts. The same bytes whenever it is asked for.',
  })
  @ApiParam(reference)
  @ApiQuery({
    name: 'partial',
    required: false,
    description: 'Whether a batch that is not over gives what has ended so far.',
    schema: { type: 'boolean', default: false },
  })
  @ApiQuery({
    name: 'format',
    required: false,
    description: 'The form of the output, whatever is accepted.',
    schema: { type: 'string', enum: [...outputFormatNames] },
  })
  @ApiResponse({
    status: 200,
    description: 'The lines or rows. A transfer that breaks off is not the whole of it.',
    content: {
      [linesType]: { schema: { type: 'string' } },
      [outputFormats.parquet.mediaType]: { schema: { type: 'string', format: 'binary' } },
    },
  })
  async output(
    @Param('id') id: string,
    @Query() query: unknown,
    @Headers('accept') accept: string | undefined,
    @Caller() caller: ApiKeyIdentity,
    @Res({ passthrough: true }) response: ResponseWriter,
  ): Promise<StreamableFile> {
    const { partial: isPartial, format: asked } = parseRequest(outputSchema, query);
    const type = acceptedFormat(accept, outputTypes);
    const format = asked ?? outputFormatNames.find((name) => outputFormats[name].mediaType === type);
    if (format === undefined)
      throw new AppError(
        'MILLRACE_NOT_ACCEPTABLE',
        `The output of a batch can be had as ${outputTypes.join(' or ')}.`,
      );
    const { name, stream } = await this.#files.output(id, caller, { isPartial, format });
    return fileOf(response, `${name}-output`, stream, format);
  }

  @Get(':id/failed-items')
  @RequireScope('messages:data')
  @ApiOperation({
    operationId: 'getBatchFailedItems',
    summary: 'The items that did not succeed so far, as they were sent',
    description:
      'JSON Lines with id, data, customer, team and labels as an upload takes them, and status and error, which it leaves out. ' +
      'Items whose data was erased are not among them.',
  })
  @ApiParam(reference)
  @ApiResponse({
    status: 200,
    description: 'The lines. A transfer that breaks off is not the whole of it.',
    content: { [linesType]: { schema: { type: 'string' } } },
  })
  async failedItems(
    @Param('id') id: string,
    @Query() query: unknown,
    @Caller() caller: ApiKeyIdentity,
    @Res({ passthrough: true }) response: ResponseWriter,
  ): Promise<StreamableFile> {
    parseRequest(nothingSchema, query);
    const { name, stream } = await this.#files.failedItems(id, caller);
    return fileOf(response, `${name}-failed`, stream, 'jsonl');
  }
}

function fileOf(
  response: ResponseWriter,
  name: string,
  stream: Readable,
  format: OutputFormat,
): StreamableFile {
  const { mediaType, extension } = outputFormats[format];
  response.header('cache-control', 'no-store');
  return new StreamableFile(stream, {
    type: mediaType,
    disposition: `attachment; filename="${name}.${extension}"`,
  });
}
