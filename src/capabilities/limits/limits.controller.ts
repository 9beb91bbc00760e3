import { Body, Controller, Delete, Get, Header, Inject, Put, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiOperation, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { ApiKeyIdentity } from '../../http/api-key-identity.ts';
import { Caller, RequireScope } from '../../http/caller.ts';
import { jsonOf } from '../../http/json-content.ts';
import { parseRequest } from '../../http/request-faults.ts';
import { operatorOf } from '../../http/operator.ts';
import type { ModelLimitDocument, ModelLimitList } from './limit-documents.ts';
import { resetLimitSchema, setLimitSchema } from './limit-requests.ts';
import { LimitService } from './limit-service.ts';

/** Requests and tokens a minute of models. Reading needs `operations:read`, acting `operations:write` by a key without a team. */
@ApiTags('limits')
@ApiBearerAuth()
@Controller('v1/model-limits')
export class LimitsController {
  readonly #service: LimitService;

  constructor(@Inject(LimitService) service: LimitService) {
    this.#service = service;
  }

  @Get()
  @RequireScope('operations:read')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'listModelLimits',
    summary: 'What all processes together may ask of each model a minute',
    description:
      'What is in force, what the configuration says, and what an operator has set, by whom and why.',
  })
  @ApiResponse({ status: 200, description: 'The limits, by name.', content: jsonOf('ModelLimitList') })
  async list(): Promise<ModelLimitList> {
    return await this.#service.list();
  }

  @Put()
  @RequireScope('operations:write')
  @ApiOperation({
    operationId: 'setModelLimit',
    summary: 'Set the requests or tokens a minute of a model, in all running processes',
    description:
      'Processes follow within two seconds; messages that are put aside already come back within a minute. A kind that is ' +
      'not named is as configured. Stays over restarts until it is reset. Audited. Not for keys bound to a team.',
  })
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/ModelLimitRequest' } })
  @ApiResponse({ status: 200, description: 'The limit as it is now.', content: jsonOf('ModelLimit') })
  async set(@Body() body: unknown, @Caller() caller: ApiKeyIdentity): Promise<ModelLimitDocument> {
    return await this.#service.set(parseRequest(setLimitSchema, body), operatorOf(caller));
  }

  @Delete()
  @RequireScope('operations:write')
  @ApiOperation({
    operationId: 'resetModelLimit',
    summary: 'Let the limits of a model be as configured again',
    description: 'Processes follow within two seconds. Audited. Not for keys bound to a team.',
  })
  @ApiQuery({
    name: 'model',
    required: true,
    schema: { type: 'string', maxLength: 512 },
    description: '"provider/model" or "provider/*", as it was set.',
  })
  @ApiQuery({
    name: 'reason',
    required: true,
    schema: { type: 'string', maxLength: 500 },
    description: 'Why.',
  })
  @ApiResponse({ status: 200, description: 'The limit as it is now.', content: jsonOf('ModelLimit') })
  async reset(@Query() query: unknown, @Caller() caller: ApiKeyIdentity): Promise<ModelLimitDocument> {
    const { model, reason } = parseRequest(resetLimitSchema, query);
    return await this.#service.reset(model, reason, operatorOf(caller));
  }
}
