import { Body, Controller, Get, Header, HttpCode, HttpStatus, Inject, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { ApiKeyIdentity } from '../../../http/api-key-identity.ts';
import { operatorOf } from '../../../http/operator.ts';
import { Caller, RequireScope } from '../../../http/caller.ts';
import { jsonOf } from '../../../http/json-content.ts';
import { parseRequest } from '../../../http/request-faults.ts';
import {
  type ClosedPeriodDocument,
  closePeriodSchema,
  type PeriodList,
  reopenPeriodSchema,
} from './period-document.ts';
import { PeriodService } from './period-service.ts';

/** Closed months. Reading needs `costs:read`, acting `operations:write` by a key without a team. */
@ApiTags('costs')
@ApiBearerAuth()
@Controller('v1/periods')
export class PeriodsController {
  readonly #service: PeriodService;

  constructor(@Inject(PeriodService) service: PeriodService) {
    this.#service = service;
  }

  @Get()
  @RequireScope('costs:read')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'listPeriods',
    summary: 'The months that are closed',
    description:
      'The statement of a closed month does not change. What is learnt of its calls afterwards is booked at the time at which it is learnt.',
  })
  @ApiResponse({ status: 200, description: 'Every closing.', content: jsonOf('PeriodList') })
  async list(@Caller() { team }: ApiKeyIdentity): Promise<PeriodList> {
    return await this.#service.list({ team });
  }

  @Post('close')
  @RequireScope('operations:write')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    operationId: 'closePeriod',
    summary: 'Close a month that is over',
    description:
      'From then on a correction of one of its calls (a repricing, a late settlement) is booked in the present, and names the month. ' +
      'Refused while calls of the month are under way or records of it wait for export. Audited. Not for keys bound to a team.',
  })
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/ClosePeriodRequest' } })
  @ApiResponse({ status: 200, description: 'The closed period.', content: jsonOf('ClosedPeriod') })
  async close(@Body() body: unknown, @Caller() caller: ApiKeyIdentity): Promise<ClosedPeriodDocument> {
    return await this.#service.close(parseRequest(closePeriodSchema, body), operatorOf(caller));
  }

  @Post('reopen')
  @RequireScope('operations:write')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    operationId: 'reopenPeriod',
    summary: 'Open a closed month again',
    description:
      'Later corrections of its calls are booked in it again; those of before stay where they are. Audited. Not for keys bound to a team.',
  })
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/ReopenPeriodRequest' } })
  @ApiResponse({ status: 200, description: 'The period as it was closed.', content: jsonOf('ClosedPeriod') })
  async reopen(@Body() body: unknown, @Caller() caller: ApiKeyIdentity): Promise<ClosedPeriodDocument> {
    return await this.#service.reopen(parseRequest(reopenPeriodSchema, body), operatorOf(caller));
  }
}
