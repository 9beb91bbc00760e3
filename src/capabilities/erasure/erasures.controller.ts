import { Body, Controller, Get, Header, HttpStatus, Inject, Param, Post, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { ApiKeyIdentity } from '../../http/api-key-identity.ts';
import { Caller, RequireScope } from '../../http/caller.ts';
import { parseRequest } from '../../http/request-faults.ts';
import { AppError } from '../../kernel/app-error.ts';
import {
  type ErasureDocument,
  erasureRequestSchema,
  type RequestedErasureDocument,
} from './erasure-documents.ts';
import { actorOf } from '../../http/operator.ts';
import type { ResponseWriter } from '../../http/response-writer.ts';
import { ErasureService } from './erasure-service.ts';
import { jsonOf } from '../../http/json-content.ts';

/** Erasures. Every route needs `erasures:write`; a key of a team erases what is that team's. */
@ApiTags('erasures')
@ApiBearerAuth()
@Controller('v1/erasures')
export class ErasuresController {
  readonly #service: ErasureService;

  constructor(@Inject(ErasureService) service: ErasureService) {
    this.#service = service;
  }

  @Post()
  @RequireScope('erasures:write')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'requestErasure',
    summary: "Erase what is known of a customer, of a team's customers or of a message, or say what there is",
    description:
      'Data, answers, names and labels go; what was spent stays, under a pseudonym. The request is durable when it is ' +
      'answered, and a maintenance process does the work, going on where a process died. The same request again finds the same erasure ' +
      'while it is at work. Refused with 409 while work of it is open or another erasure is at work. With dryRun nothing ' +
      'changes. The erasure is audited, without the name.',
  })
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/ErasureRequest' } })
  @ApiResponse({ status: 200, description: 'What there is.', content: jsonOf('RequestedErasure') })
  @ApiResponse({ status: 202, description: 'The erasure is noted.', content: jsonOf('RequestedErasure') })
  async post(
    @Body() body: unknown,
    @Caller() caller: ApiKeyIdentity,
    @Res({ passthrough: true }) response: ResponseWriter,
  ): Promise<RequestedErasureDocument> {
    const { dryRun, reason, ...request } = parseRequest(erasureRequestSchema, body);
    if (dryRun) {
      response.status(HttpStatus.OK);
      const { messages, deadLetters, calls, open, usageRows } = await this.#service.preview(request, caller);
      return { dryRun, messages, deadLetters, calls, open, usageRows };
    }
    const order = { actor: actorOf(caller), reason };
    const erasure = await this.#service.request(request, order, caller);
    response.status(HttpStatus.ACCEPTED);
    return erasure;
  }

  @Get(':id')
  @RequireScope('erasures:write')
  @Header('cache-control', 'no-store')
  @ApiOperation({ operationId: 'getErasure', summary: 'How far an erasure is' })
  @ApiParam({
    name: 'id',
    description: 'The id that the request was answered with.',
    schema: { type: 'string', format: 'uuid' },
  })
  @ApiResponse({ status: 200, description: 'The erasure.', content: jsonOf('Erasure') })
  async get(@Param('id') id: string, @Caller() caller: ApiKeyIdentity): Promise<ErasureDocument> {
    const erasure = await this.#service.find(id, caller);
    if (erasure !== undefined) return erasure;
    throw new AppError('MILLRACE_NOT_FOUND', 'There is no such erasure, or it is not for this API key.');
  }
}
