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
  Query,
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
import { jsonOf } from '../../../http/json-content.ts';
import { operatorOf } from '../../../http/operator.ts';
import { parseRequest } from '../../../http/request-faults.ts';
import {
  listedStates,
  listProviderBatchesSchema,
  maxListed,
  type ProviderBatchDocument,
  type ProviderBatchList,
  resolveRequestSchema,
} from './provider-batch-documents.ts';
import { ProviderBatchOperations } from './provider-batch-operations.ts';

/** Providers' batches, for operators. */
@ApiTags('batches')
@ApiBearerAuth()
@Controller('v1/provider-batches')
export class ProviderBatchesController {
  readonly #operations: ProviderBatchOperations;

  constructor(@Inject(ProviderBatchOperations) operations: ProviderBatchOperations) {
    this.#operations = operations;
  }

  @Get()
  @RequireScope('operations:read')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'listProviderBatches',
    summary: "Batches at providers that batches' calls are in, newest first",
    description:
      'One is forgotten some time after all of it was settled (batches.provider.keepMs). A key bound to a team sees those of its batches.',
  })
  @ApiQuery({
    name: 'state',
    required: false,
    description:
      'All, those that have not ended, those that an operator must decide about, or those that are settled.',
    schema: { type: 'string', enum: [...listedStates], default: 'any' },
  })
  @ApiQuery({
    name: 'limit',
    required: false,
    description: 'The most in the answer.',
    schema: { type: 'integer', minimum: 1, maximum: maxListed, default: 50 },
  })
  @ApiQuery({
    name: 'after',
    required: false,
    description: 'The "next" of the answer before.',
    schema: { type: 'string' },
  })
  @ApiResponse({ status: 200, description: 'A page.', content: jsonOf('ProviderBatchList') })
  async list(@Query() query: unknown, @Caller() caller: ApiKeyIdentity): Promise<ProviderBatchList> {
    return await this.#operations.list(parseRequest(listProviderBatchesSchema, query), caller);
  }

  @Post(':id/resolve')
  @RequireScope('operations:write')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    operationId: 'resolveProviderBatch',
    summary: 'Decide about a batch at a provider that cannot go on by itself',
    description:
      'Take it over by its id at the provider, send it again, or give it up. The decision is audited. 409 for one that goes on by itself. A ' +
      'key bound to a team decides about those of its batches.',
  })
  @ApiParam({
    name: 'id',
    description: 'The id of the batch here.',
    schema: { type: 'string', format: 'uuid' },
  })
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/ProviderBatchResolution' } })
  @ApiResponse({ status: 200, description: 'The batch as it is now.', content: jsonOf('ProviderBatch') })
  async resolve(
    @Param('id') id: string,
    @Body() body: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<ProviderBatchDocument> {
    return await this.#operations.resolve(id, parseRequest(resolveRequestSchema, body), operatorOf(caller));
  }
}
