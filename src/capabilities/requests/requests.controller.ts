import { hash } from 'node:crypto';
import {
  Body,
  Controller,
  Delete,
  Get,
  Header,
  HttpCode,
  HttpStatus,
  Inject,
  Param,
  Post,
  Query,
  Req,
  Res,
} from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiBody,
  ApiHeader,
  ApiOperation,
  ApiParam,
  ApiQuery,
  ApiResponse,
  ApiTags,
} from '@nestjs/swagger';
import type { ApiKeyIdentity } from '../../http/api-key-identity.ts';
import { Caller, RequireScope } from '../../http/caller.ts';
import { jsonOf } from '../../http/json-content.ts';
import { actorOf } from '../../http/operator.ts';
import { headerOf } from '../../http/request-facts.ts';
import { parseRequest } from '../../http/request-faults.ts';
import type { ResponseWriter } from '../../http/response-writer.ts';
import { whileConnected } from '../../http/while-connected.ts';
import { requestStates } from './request.ts';
import { RequestService } from './request-service.ts';
import {
  cancelRequestSchema,
  listRequestsSchema,
  maxListed,
  requestFilterFields,
} from './state/list-requests.ts';
import type { RequestDocument, RequestList } from './state/request-document.ts';
import { ResultRoom } from './state/result-room.ts';
import { roomFor } from './state/room-for.ts';
import { applyWait, maxWaitToken } from './wait-preference.ts';

const idParameter = {
  name: 'id',
  description: 'The id of the request.',
  schema: { type: 'string', format: 'uuid' },
} as const;

/** Requests as they stand, and their cancelling. A key of a team sees and touches that team's only. */
@ApiTags('requests')
@ApiBearerAuth()
@Controller('v1/requests')
export class RequestsController {
  readonly #service: RequestService;
  readonly #room: ResultRoom;
  readonly #maxWaitSeconds: number;

  constructor(
    @Inject(RequestService) service: RequestService,
    @Inject(ResultRoom) room: ResultRoom,
    @Inject(maxWaitToken) maxWaitSeconds: number,
  ) {
    this.#service = service;
    this.#room = room;
    this.#maxWaitSeconds = maxWaitSeconds;
  }

  @Get()
  @RequireScope('requests:read')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'listRequests',
    summary: 'Requests, newest first',
    description:
      'Without their results. A page looks at a bounded number of requests: it may hold fewer than asked for, even none, and still have a next. A key ' +
      'bound to a team sees that team only.',
  })
  @ApiFilters()
  @ApiQuery({
    name: 'state',
    required: false,
    style: 'form',
    explode: true,
    description: 'Only requests in this state; repeat it for more than one.',
    schema: { type: 'array', items: { type: 'string', enum: [...requestStates] } },
  })
  @ApiQuery({
    name: 'limit',
    required: false,
    description: 'The most requests in the answer.',
    schema: { type: 'integer', minimum: 1, maximum: maxListed, default: 50 },
  })
  @ApiQuery({
    name: 'after',
    required: false,
    schema: { type: 'string', format: 'uuid' },
    description: 'The "next" of the answer before.',
  })
  @ApiResponse({ status: 200, description: 'A page.', content: jsonOf('RequestList') })
  async list(@Query() query: unknown, @Caller() caller: ApiKeyIdentity): Promise<RequestList> {
    const { filter, ...page } = parseRequest(listRequestsSchema, query);
    return await this.#service.list(filter, caller, page);
  }

  @Get(':id')
  @RequireScope('requests:read')
  @Header('cache-control', 'private, no-cache')
  @ApiOperation({
    operationId: 'getRequest',
    summary: 'How a request is: its state, its result, and what it cost so far',
    description:
      'With `Prefer: wait=N` the answer is held back until the request has ended, for N seconds at most. With the ETag of an earlier answer in If-None-Match, 304 where nothing has changed.',
  })
  @ApiParam(idParameter)
  @ApiHeader({
    name: 'Prefer',
    required: false,
    schema: { type: 'string' },
    description: '`wait=N` (seconds).',
  })
  @ApiHeader({
    name: 'If-None-Match',
    required: false,
    schema: { type: 'string' },
    description: 'The ETag of an earlier answer.',
  })
  @ApiResponse({ status: 200, description: 'The request.', content: jsonOf('Request') })
  @ApiResponse({ status: 304, description: 'It is as it was.' })
  async get(
    @Param('id') id: string,
    @Caller() caller: ApiKeyIdentity,
    @Req() request: object,
    @Res({ passthrough: true }) response: ResponseWriter,
  ): Promise<RequestDocument | undefined> {
    const waitMs = applyWait(request, response, this.#maxWaitSeconds);
    const takeRoom = roomFor(this.#room, caller, response);
    const { document } = await whileConnected(
      request,
      async (signal) => await this.#service.show(id, caller, { waitMs, signal, takeRoom }),
    );
    const tag = `"${hash('sha256', JSON.stringify(document)).slice(0, 32)}"`;
    response.header('etag', tag);
    if (!hasTag(headerOf(request, 'if-none-match'), tag)) return document;
    response.status(HttpStatus.NOT_MODIFIED);
    return undefined;
  }

  @Delete(':id')
  @RequireScope('requests:write')
  @HttpCode(HttpStatus.OK)
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'deleteRequest',
    summary: 'Cancel a request',
    description: 'As POST /v1/requests/{id}/cancel does, without a reason of its own.',
  })
  @ApiParam(idParameter)
  @ApiResponse({ status: 200, description: 'It is cancelled.', content: jsonOf('Request') })
  async delete(@Param('id') id: string, @Caller() caller: ApiKeyIdentity): Promise<RequestDocument> {
    return await this.#cancel(id, {}, caller);
  }

  @Post(':id/cancel')
  @RequireScope('requests:write')
  @HttpCode(HttpStatus.OK)
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'cancelRequest',
    summary: 'Cancel a request',
    description:
      'What waits of it never runs; what runs is aborted within a second, at the provider too, and settled for what it cost. Once more changes nothing; one ' +
      'that is completed or has failed is answered 409. Its end is recorded when its last call is settled: until then the answer says what it cost so far.',
  })
  @ApiParam(idParameter)
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/CancelRequest' } })
  @ApiResponse({ status: 200, description: 'It is cancelled.', content: jsonOf('Request') })
  async cancel(
    @Param('id') id: string,
    @Body() body: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<RequestDocument> {
    return await this.#cancel(id, body, caller);
  }

  async #cancel(id: string, body: unknown, caller: ApiKeyIdentity): Promise<RequestDocument> {
    const { reason } = parseRequest(cancelRequestSchema, body);
    const { document } = await this.#service.cancel(id, reason, { ...caller, actor: actorOf(caller) });
    return document;
  }
}

/** Whether a header If-None-Match names the tag. */
function hasTag(header: string | undefined, tag: string): boolean {
  return (header ?? '')
    .split(',')
    .map((one) => one.trim().replace(/^W\//, ''))
    .some((one) => one === tag || one === '*');
}

function ApiFilters(): MethodDecorator {
  return (target, key, descriptor) => {
    for (const name of requestFilterFields) {
      ApiQuery({
        name,
        required: false,
        style: 'form',
        explode: true,
        description: `Only requests of this ${name}; repeat it for more than one.`,
        schema: { type: 'array', items: { type: 'string' } },
      })(target, key, descriptor);
    }
  };
}
