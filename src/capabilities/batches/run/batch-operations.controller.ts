import { Body, Controller, HttpCode, HttpStatus, Inject, Param, Patch, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { ApiKeyIdentity } from '../../../http/api-key-identity.ts';
import { Caller, RequireScope } from '../../../http/caller.ts';
import { jsonOf } from '../../../http/json-content.ts';
import { operatorOf } from '../../../http/operator.ts';
import { parseRequest } from '../../../http/request-faults.ts';
import type { BatchDocument } from '../batch-document.ts';
import { BatchService } from './batch-service.ts';
import type { BatchRetry } from './run-documents.ts';
import { batchOrderSchema, changeBatchSchema } from './run-requests.ts';

const reference = {
  name: 'id',
  description: 'The id of the batch, or its name.',
  schema: { type: 'string' },
} as const;
const order = { required: true, schema: { $ref: '#/components/schemas/BatchOrderRequest' } } as const;

/** Batches for operators. All of it is audited; a key bound to a team touches that team's only. */
@ApiTags('batches')
@ApiBearerAuth()
@Controller('v1/batches')
@RequireScope('operations:write')
export class BatchOperationsController {
  readonly #service: BatchService;

  constructor(@Inject(BatchService) service: BatchService) {
    this.#service = service;
  }

  @Post(':id/pause')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    operationId: 'pauseBatch',
    summary: 'Begin no further chunk of a batch',
    description: 'What is under way goes on to its end and is recorded.',
  })
  @ApiParam(reference)
  @ApiBody(order)
  @ApiResponse({ status: 200, description: 'The batch.', content: jsonOf('Batch') })
  async pause(
    @Param('id') id: string,
    @Body() body: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<BatchDocument> {
    return await this.#service.pause(id, parseRequest(batchOrderSchema, body).reason, operatorOf(caller));
  }

  @Post(':id/resume')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    operationId: 'resumeBatch',
    summary: 'Let a batch go on that was paused, or has halted',
    description:
      'After a halt the tripwire counts anew, and chunks that wait have all their attempts again. Items that have failed stay failed: run them again with retry. ' +
      'Where the validator was missing, the output is checked anew.',
  })
  @ApiParam(reference)
  @ApiBody(order)
  @ApiResponse({ status: 200, description: 'The batch.', content: jsonOf('Batch') })
  async resume(
    @Param('id') id: string,
    @Body() body: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<BatchDocument> {
    return await this.#service.resume(id, parseRequest(batchOrderSchema, body).reason, operatorOf(caller));
  }

  @Post(':id/cancel')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    operationId: 'cancelBatch',
    summary: 'Cancel a batch',
    description:
      'What was not begun ends as cancelled, and what is under way is cancelled; what has ended stays. The answer comes at once, with the state "cancelling". ' +
      'Where all items had ended, and all checks of the output, it ends as without it.',
  })
  @ApiParam(reference)
  @ApiBody(order)
  @ApiResponse({ status: 200, description: 'The batch.', content: jsonOf('Batch') })
  async cancel(
    @Param('id') id: string,
    @Body() body: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<BatchDocument> {
    return await this.#service.cancel(id, parseRequest(batchOrderSchema, body).reason, operatorOf(caller));
  }

  @Post(':id/retry')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    operationId: 'retryBatch',
    summary: 'Run the items again that did not succeed',
    description:
      'Of a batch that is over, paused or halted: items that failed, expired or were cancelled. Dead letters live again under their own ids and use ' +
      'the answers that they have paid for; what was cancelled begins anew. The batch runs again; a deadline that is over is forgotten. ' +
      'One that its quality let fail is checked anew, also without such items.',
  })
  @ApiParam(reference)
  @ApiBody(order)
  @ApiResponse({
    status: 200,
    description: 'The batch, and how many items.',
    content: jsonOf('BatchRetry'),
  })
  async retry(
    @Param('id') id: string,
    @Body() body: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<BatchRetry> {
    return await this.#service.retry(id, parseRequest(batchOrderSchema, body).reason, operatorOf(caller));
  }

  @Patch(':id')
  @ApiOperation({
    operationId: 'changeBatch',
    summary: 'Change the priority or the deadline of a batch that is not over',
  })
  @ApiParam(reference)
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/BatchChangeRequest' } })
  @ApiResponse({ status: 200, description: 'The batch.', content: jsonOf('Batch') })
  async change(
    @Param('id') id: string,
    @Body() body: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<BatchDocument> {
    return await this.#service.change(id, parseRequest(changeBatchSchema, body), operatorOf(caller));
  }
}
