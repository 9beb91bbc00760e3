import {
  Body,
  Controller,
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
import { operatorOf } from '../../../http/operator.ts';
import { Caller, RequireScope } from '../../../http/caller.ts';
import { jsonOf } from '../../../http/json-content.ts';
import { parseRequest } from '../../../http/request-faults.ts';
import { billProviders } from './bill.ts';
import { dayStates } from './difference.ts';
import type {
  ReconciliationDocument,
  ReconciliationListDocument,
  ReconciliationReport,
} from './reconciliation-document.ts';
import {
  reconciliationOf,
  reconciliationQuerySchema,
  reconciliationRequestSchema,
  selectionOf,
} from './reconciliation-requests.ts';
import { ReconciliationService } from './reconciliation-service.ts';

/** Bills of providers, compared with the ledger; for keys that are bound to no team. */
@ApiTags('costs')
@ApiBearerAuth()
@Controller('v1/reconciliations')
export class ReconciliationsController {
  readonly #service: ReconciliationService;

  constructor(@Inject(ReconciliationService) service: ReconciliationService) {
    this.#service = service;
  }

  @Post()
  @RequireScope('operations:write')
  @HttpCode(HttpStatus.OK)
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'reconcileBill',
    summary: "Compare a provider's bill with the ledger",
    description:
      'Every difference is named by its cause, and ledger and differences add up to the bill exactly. What is found is kept for each ' +
      'day; a later bill takes the place of an earlier one. Needs a key without a team (403 otherwise). The body has 8 MiB at most.',
  })
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/ReconciliationRequest' } })
  @ApiResponse({ status: 200, description: 'What was found.', content: jsonOf('ReconciliationReport') })
  async reconcile(@Body() body: unknown, @Caller() caller: ApiKeyIdentity): Promise<ReconciliationReport> {
    const request = reconciliationOf(parseRequest(reconciliationRequestSchema, body));
    return await this.#service.reconcile(request, operatorOf(caller));
  }

  @Get()
  @RequireScope('costs:read')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'listReconciliations',
    summary: 'Days that were compared with bills, the latest first',
    description: 'Needs a key without a team (403 otherwise).',
  })
  @ApiQuery({
    name: 'provider',
    required: false,
    schema: { type: 'string', enum: [...billProviders] },
    description: 'Whose bills.',
  })
  @ApiQuery({
    name: 'from',
    required: false,
    schema: { type: 'string', format: 'date' },
    description: 'The first day, in UTC.',
  })
  @ApiQuery({
    name: 'to',
    required: false,
    schema: { type: 'string', format: 'date' },
    description: 'The day behind the last one.',
  })
  @ApiQuery({
    name: 'state',
    required: false,
    schema: { type: 'string', enum: [...dayStates] },
    description: 'Only days in this state.',
  })
  @ApiQuery({
    name: 'history',
    required: false,
    schema: { type: 'boolean', default: false },
    description: 'Whether with those that later ones took the place of.',
  })
  @ApiQuery({
    name: 'limit',
    required: false,
    schema: { type: 'integer', minimum: 1, maximum: 999, default: 100 },
    description: 'The most days that are listed.',
  })
  @ApiResponse({ status: 200, description: 'The days.', content: jsonOf('ReconciliationList') })
  async list(
    @Query() query: unknown,
    @Caller() { team }: ApiKeyIdentity,
  ): Promise<ReconciliationListDocument> {
    return await this.#service.list(selectionOf(parseRequest(reconciliationQuerySchema, query)), { team });
  }

  @Get(':id')
  @RequireScope('costs:read')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'getReconciliation',
    summary: 'A day that was compared, row by row',
    description: 'Needs a key without a team (403 otherwise).',
  })
  @ApiParam({
    name: 'id',
    description: 'The id, as the list shows it.',
    schema: { type: 'string', format: 'uuid' },
  })
  @ApiResponse({ status: 200, description: 'The day.', content: jsonOf('Reconciliation') })
  async show(@Param('id') id: string, @Caller() { team }: ApiKeyIdentity): Promise<ReconciliationDocument> {
    return await this.#service.show(id, { team });
  }
}
