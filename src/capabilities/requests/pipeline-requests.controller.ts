import {
  Body,
  Controller,
  Header,
  HttpCode,
  HttpStatus,
  Inject,
  Param,
  Post,
  Req,
  Res,
} from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiBody,
  ApiHeader,
  ApiOperation,
  ApiParam,
  ApiResponse,
  ApiTags,
} from '@nestjs/swagger';
import type { ApiKeyIdentity } from '../../http/api-key-identity.ts';
import { Caller, RequireScope } from '../../http/caller.ts';
import { jsonOf } from '../../http/json-content.ts';
import { headerOf } from '../../http/request-facts.ts';
import { parseRequest } from '../../http/request-faults.ts';
import type { ResponseWriter } from '../../http/response-writer.ts';
import { whileConnected } from '../../http/while-connected.ts';
import { readIdempotencyKey } from './intake/idempotency-key.ts';
import { submitRequestSchema } from './intake/submit-requests.ts';
import { RequestService } from './request-service.ts';
import type { RequestDocument } from './state/request-document.ts';
import { ResultRoom } from './state/result-room.ts';
import { roomFor } from './state/room-for.ts';
import { applyWait, maxWaitToken } from './wait-preference.ts';

/** The way in for requests. */
@ApiTags('requests')
@ApiBearerAuth()
@Controller('v1/pipelines')
export class PipelineRequestsController {
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

  @Post(':name/requests')
  @RequireScope('requests:write')
  @HttpCode(HttpStatus.ACCEPTED)
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'submitRequest',
    summary: 'Ask a pipeline for something: accepted at once, answered when it is ready',
    description:
      'What is accepted is durable. The same Idempotency-Key with the same body answers the request that it stands for, however often and at whatever moment it ' +
      'is sent; a key stands for its request for `requests.idempotencyHours`. With `Prefer: wait=N` the answer is held back until the request has ended, for ' +
      'N seconds at most; a client that leaves meanwhile changes nothing.',
  })
  @ApiParam({
    name: 'name',
    description: 'The pipeline.',
    schema: { type: 'string', minLength: 1, maxLength: 128 },
  })
  @ApiHeader({
    name: 'Idempotency-Key',
    required: false,
    schema: { type: 'string', maxLength: 512 },
    description: 'A text of 1 to 255 printable ASCII characters, bare or in quotes: what is to be done once.',
  })
  @ApiHeader({
    name: 'Prefer',
    required: false,
    schema: { type: 'string' },
    description: '`respond-async`, `wait=N` (seconds).',
  })
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/SubmitRequest' } })
  @ApiResponse({
    status: 202,
    description: 'It is accepted, and has not ended. `Location` says where it is.',
    content: jsonOf('Request'),
  })
  @ApiResponse({ status: 200, description: 'It has ended.', content: jsonOf('Request') })
  async submit(
    @Param('name') pipeline: string,
    @Body() body: unknown,
    @Caller() caller: ApiKeyIdentity,
    @Req() request: object,
    @Res({ passthrough: true }) response: ResponseWriter,
  ): Promise<RequestDocument> {
    const idempotencyKey = readIdempotencyKey(headerOf(request, 'idempotency-key'));
    const parsed = parseRequest(submitRequestSchema, body);
    const traceParent = headerOf(request, 'traceparent');
    const waitMs = applyWait(request, response, this.#maxWaitSeconds);
    const asked = { pipeline, body: parsed, idempotencyKey, traceParent, caller };
    const takeRoom = roomFor(this.#room, caller, response);
    const { document, isOver } = await whileConnected(
      request,
      async (signal) => await this.#service.submit(asked, { waitMs, signal, takeRoom }),
    );
    response.header('location', `/v1/requests/${document.id}`);
    if (isOver) response.status(HttpStatus.OK);
    return document;
  }
}
