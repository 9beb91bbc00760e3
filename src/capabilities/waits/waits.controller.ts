import { Body, Controller, Get, Header, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiBody,
  ApiOperation,
  ApiParam,
  ApiQuery,
  ApiResponse,
  ApiTags,
} from '@nestjs/swagger';
import type { ApiKeyIdentity } from '../../http/api-key-identity.ts';
import { Caller, RequireScope } from '../../http/caller.ts';
import { jsonOf } from '../../http/json-content.ts';
import { operatorOf } from '../../http/operator.ts';
import { parseRequest } from '../../http/request-faults.ts';
import type { CompletedWait, WaitList } from './wait-documents.ts';
import { completeWaitSchema, listWaitsSchema, maxListedWaits } from './wait-requests.ts';
import { WaitService } from './wait-service.ts';

/** Messages that wait for an outside event. A key of a team sees and touches that team's only. */
@ApiTags('waits')
@ApiBearerAuth()
@Controller('v1/waits')
export class WaitsController {
  readonly #service: WaitService;

  constructor(@Inject(WaitService) service: WaitService) {
    this.#service = service;
  }

  @Get()
  @RequireScope('messages:read')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'listWaits',
    summary: 'Messages that wait for an outside event or an approval, the oldest first',
    description: 'Without their tokens, which are kept nowhere. A key bound to a team sees that team only.',
  })
  @ApiQuery({
    name: 'limit',
    required: false,
    description: 'The most waits in the answer.',
    schema: { type: 'integer', minimum: 1, maximum: maxListedWaits, default: 50 },
  })
  @ApiQuery({
    name: 'after',
    required: false,
    schema: { type: 'string', format: 'uuid' },
    description: 'The "next" of the answer before.',
  })
  @ApiResponse({ status: 200, description: 'A page.', content: jsonOf('WaitList') })
  async list(@Query() query: unknown, @Caller() caller: ApiKeyIdentity): Promise<WaitList> {
    return await this.#service.list(caller, parseRequest(listWaitsSchema, query));
  }

  @Post(':token')
  @HttpCode(200)
  @RequireScope('messages:write')
  @ApiOperation({
    operationId: 'completeWait',
    summary: 'Give a message that waits its data, once',
    description:
      'The data is checked against the schema of the type that is waited for; what does not fit changes nothing. Audited. A key bound to a team ' +
      "completes that team's waits only.",
  })
  @ApiParam({
    name: 'token',
    description: 'As the handler got it.',
    schema: { type: 'string', maxLength: 64 },
  })
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/CompleteWait' } })
  @ApiResponse({ status: 200, description: 'The message goes on.', content: jsonOf('CompletedWait') })
  async complete(
    @Param('token') token: string,
    @Body() body: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<CompletedWait> {
    return await this.#service.complete(token, parseRequest(completeWaitSchema, body), operatorOf(caller));
  }
}
