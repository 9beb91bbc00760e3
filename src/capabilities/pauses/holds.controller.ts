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
import type { HoldList, LiftedHoldDocument, PlacedHoldDocument } from './hold-documents.ts';
import { HoldOffice, type HoldOperator } from './hold-office.ts';
import { liftByIdSchema, placeHoldSchema } from './hold-requests.ts';
import { jsonOf } from '../../http/json-content.ts';

/** What operators have stopped. Reading needs `messages:read`, acting `operations:write` by a key without a team. */
@ApiTags('holds')
@ApiBearerAuth()
@Controller('v1/holds')
export class HoldsController {
  readonly #office: HoldOffice;

  constructor(@Inject(HoldOffice) office: HoldOffice) {
    this.#office = office;
  }

  @Get()
  @RequireScope('messages:read')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'listHolds',
    summary: 'What is stopped, by whom and why, and how many messages wait for it',
    description: 'A key bound to a team sees what stops everybody, and what stops that team.',
  })
  @ApiResponse({ status: 200, description: 'What stands, oldest first.', content: jsonOf('HoldList') })
  async list(@Caller() caller: ApiKeyIdentity): Promise<HoldList> {
    return await this.#office.list(caller);
  }

  @Post()
  @RequireScope('operations:write')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    operationId: 'placeHold',
    summary: 'Stop everything, a stage, a model, a provider, a team, a customer, a feature or a batch',
    description:
      'When the answer is there, nothing of it is begun any more, by any process. What is in the air ends by itself, or is ' +
      'aborted within a second if that is asked for; no attempt is counted. Placed again, the reason and abort are as ' +
      'given now. Messages are still admitted, and wait. Audited. Not for keys bound to a team.',
  })
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/HoldRequest' } })
  @ApiResponse({ status: 200, description: 'The hold as it stands.', content: jsonOf('PlacedHold') })
  async place(@Body() body: unknown, @Caller() caller: ApiKeyIdentity): Promise<PlacedHoldDocument> {
    return await this.#office.place(parseRequest(placeHoldSchema, body), operatorOf(caller));
  }

  @Delete(':id')
  @RequireScope('operations:write')
  @ApiOperation({
    operationId: 'liftHold',
    summary: 'Let what a hold stopped go on',
    description: 'What waited for it is due at once. Audited. Not for keys bound to a team.',
  })
  @ApiParam({ name: 'id', description: 'The id of the hold.', schema: { type: 'string', format: 'uuid' } })
  @ApiQuery({
    name: 'reason',
    required: true,
    schema: { type: 'string', maxLength: 500 },
    description: 'Why.',
  })
  @ApiResponse({ status: 200, description: 'The hold that was lifted.', content: jsonOf('LiftedHold') })
  async lift(
    @Param('id') id: string,
    @Query() query: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<LiftedHoldDocument> {
    const { reason } = parseRequest(liftByIdSchema, query);
    return await this.#office.lift({ id: id.toLowerCase() }, reason, operatorOf(caller));
  }
}

function operatorOf({ name, id, team }: ApiKeyIdentity): HoldOperator {
  return { actor: `key:${name}:${id}`, ...(team === undefined ? {} : { team }) };
}
