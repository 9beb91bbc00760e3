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
import type { ApiKeyIdentity } from '../../http/api-key-identity.ts';
import { Caller, RequireScope } from '../../http/caller.ts';
import { parseRequest } from '../../http/request-faults.ts';
import { operatorOf } from '../../http/operator.ts';
import type { PauseList, ResumedPauseDocument, PlacedPauseDocument } from './pause-documents.ts';
import { PauseService } from './pause-service.ts';
import { resumeByIdSchema, placePauseSchema } from './pause-requests.ts';
import { jsonOf } from '../../http/json-content.ts';

/** What operators have stopped. Reading needs `messages:read`, acting `operations:write` by a key without a team. */
@ApiTags('pauses')
@ApiBearerAuth()
@Controller('v1/pauses')
export class PausesController {
  readonly #service: PauseService;

  constructor(@Inject(PauseService) service: PauseService) {
    this.#service = service;
  }

  @Get()
  @RequireScope('messages:read')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'listPauses',
    summary: 'What is stopped, by whom and why, and how many messages wait for it',
    description: 'A key bound to a team sees what stops everybody, and what stops that team.',
  })
  @ApiResponse({
    status: 200,
    description: 'The pauses in force, oldest first.',
    content: jsonOf('PauseList'),
  })
  async list(@Caller() caller: ApiKeyIdentity): Promise<PauseList> {
    return await this.#service.list(caller);
  }

  @Post()
  @RequireScope('operations:write')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    operationId: 'placePause',
    summary: 'Stop everything, a stage, a model, a provider, a team, a customer, a feature or a batch',
    description:
      'When the answer is there, nothing of it is begun any more, by any process. What is running ends by itself, or is ' +
      'aborted within a second if that is asked for; no attempt is counted. Placed again, the reason and abort are as ' +
      'given now. Messages are still admitted, and wait. Audited. Not for keys bound to a team.',
  })
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/PauseRequest' } })
  @ApiResponse({ status: 200, description: 'The pause in force.', content: jsonOf('PlacedPause') })
  async place(@Body() body: unknown, @Caller() caller: ApiKeyIdentity): Promise<PlacedPauseDocument> {
    return await this.#service.place(parseRequest(placePauseSchema, body), operatorOf(caller));
  }

  @Delete(':id')
  @RequireScope('operations:write')
  @ApiOperation({
    operationId: 'resumePause',
    summary: 'Resume what a pause stopped',
    description: 'What waited for it is due at once. Audited. Not for keys bound to a team.',
  })
  @ApiParam({ name: 'id', description: 'The id of the pause.', schema: { type: 'string', format: 'uuid' } })
  @ApiQuery({
    name: 'reason',
    required: true,
    schema: { type: 'string', maxLength: 500 },
    description: 'Why.',
  })
  @ApiResponse({ status: 200, description: 'The pause that has ended.', content: jsonOf('ResumedPause') })
  async resume(
    @Param('id') id: string,
    @Query() query: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<ResumedPauseDocument> {
    const { reason } = parseRequest(resumeByIdSchema, query);
    return await this.#service.resume({ id: id.toLowerCase() }, reason, operatorOf(caller));
  }
}
