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
import type { ApiKeyIdentity } from '../../../http/api-key-identity.ts';
import { operatorOf, requireUnbound } from '../../../http/operator.ts';
import { Caller, RequireScope } from '../../../http/caller.ts';
import { jsonOf } from '../../../http/json-content.ts';
import { parseRequest } from '../../../http/request-faults.ts';
import {
  type OverrideDocument,
  type OverrideList,
  setOverrideSchema,
  unsetOverrideSchema,
} from './override-document.ts';
import { OverrideService } from './override-service.ts';

/** Prices that operators set. Reading needs `operations:read`, acting `operations:write` by a key without a team. */
@ApiTags('prices')
@ApiBearerAuth()
@Controller('v1/prices/overrides')
export class OverridesController {
  readonly #service: OverrideService;

  constructor(@Inject(OverrideService) service: OverrideService) {
    this.#service = service;
  }

  @Get()
  @RequireScope('operations:read')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'listPriceOverrides',
    summary: 'The prices that operators have set',
    description:
      'Own prices of the configuration come before them, lists after them. Not for keys bound to a team.',
  })
  @ApiResponse({
    status: 200,
    description: 'In the order in which they were set.',
    content: jsonOf('PriceOverrideList'),
  })
  async list(@Caller() caller: ApiKeyIdentity): Promise<OverrideList> {
    requireUnbound(caller, 'see the prices that are agreed for all');
    return await this.#service.list();
  }

  @Post()
  @RequireScope('operations:write')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    operationId: 'setPriceOverride',
    summary: 'Set a price, in all running processes',
    description:
      'Processes follow within two seconds. Calls that were settled before keep what they cost, until they are priced anew. Audited. Not for ' +
      'keys bound to a team.',
  })
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/PriceOverrideRequest' } })
  @ApiResponse({ status: 200, description: 'The price as it was set.', content: jsonOf('PriceOverride') })
  async set(@Body() body: unknown, @Caller() caller: ApiKeyIdentity): Promise<OverrideDocument> {
    const { price, reason } = parseRequest(setOverrideSchema, body);
    return await this.#service.set(price, reason, operatorOf(caller));
  }

  @Delete(':id')
  @RequireScope('operations:write')
  @ApiOperation({
    operationId: 'unsetPriceOverride',
    summary: 'Let a price that was set hold no more',
    description:
      'From now on; with `entirely` as if it had never held, also when calls are priced anew. Audited. Not for keys bound to a team.',
  })
  @ApiParam({
    name: 'id',
    description: 'The id of the override.',
    schema: { type: 'string', format: 'uuid' },
  })
  @ApiQuery({
    name: 'reason',
    required: true,
    schema: { type: 'string', maxLength: 500 },
    description: 'Why.',
  })
  @ApiQuery({
    name: 'entirely',
    required: false,
    schema: { type: 'string', enum: ['true', 'false'] },
    description: 'As if it had never held. Default false.',
  })
  @ApiResponse({ status: 200, description: 'What is left.', content: jsonOf('PriceOverrideList') })
  async unset(
    @Param('id') id: string,
    @Query() query: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<OverrideList> {
    const { reason, entirely } = parseRequest(unsetOverrideSchema, query);
    return await this.#service.unset(id, { reason, entirely: entirely === 'true' }, operatorOf(caller));
  }
}
