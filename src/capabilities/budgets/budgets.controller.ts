import { Body, Controller, Delete, Get, Header, HttpCode, Inject, Param, Put, Query } from '@nestjs/common';
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
import { operatorOf } from '../../http/operator.ts';
import { Caller, RequireScope } from '../../http/caller.ts';
import { jsonOf } from '../../http/json-content.ts';
import { parseRequest } from '../../http/request-faults.ts';
import type { BudgetDetail, BudgetDocument, BudgetReport } from './budget-documents.ts';
import {
  budgetLimitSchema,
  budgetNameSchema,
  budgetReasonSchema,
  setBudgetSchema,
} from './budget-requests.ts';
import { BudgetService } from './budget-service.ts';

const nameParameter = {
  name: 'name',
  schema: { type: 'string', maxLength: 63 },
  description: 'The budget.',
} as const;
const reasonParameter = {
  name: 'reason',
  required: true,
  schema: { type: 'string', maxLength: 500 },
  description: 'Why.',
} as const;

/** Budgets. Reading needs `costs:read`, changing `operations:write` by a key without a team. */
@ApiTags('costs')
@ApiBearerAuth()
@Controller('v1/budgets')
export class BudgetsController {
  readonly #service: BudgetService;

  constructor(@Inject(BudgetService) service: BudgetService) {
    this.#service = service;
  }

  @Get()
  @RequireScope('costs:read')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'getBudgets',
    summary: 'The budgets that hold, and what their present windows say',
    description:
      'Amounts are exact decimal strings in the unit of the budget, as of now. A key bound to a team sees the budgets of that team ' +
      'alone, not those over several teams.',
  })
  @ApiResponse({ status: 200, description: 'The budgets, by name.', content: jsonOf('BudgetReport') })
  async get(@Caller() caller: ApiKeyIdentity): Promise<BudgetReport> {
    return await this.#service.report(caller);
  }

  @Get(':name')
  @RequireScope('costs:read')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'getBudget',
    summary: 'One budget, with what operators did to it',
    description:
      'Who changed it, when, from what to what, and why. A key bound to a team sees the budgets of that team.',
  })
  @ApiParam(nameParameter)
  @ApiResponse({ status: 200, description: 'The budget.', content: jsonOf('BudgetDetail') })
  async show(@Param() path: unknown, @Caller() caller: ApiKeyIdentity): Promise<BudgetDetail> {
    return await this.#service.show(nameOf(path), caller);
  }

  @Put(':name')
  @RequireScope('operations:write')
  @ApiOperation({
    operationId: 'setBudget',
    summary: 'Set a budget beside those of the configuration, in all running processes',
    description:
      'All of it anew: what is not given is as by default. Processes follow within two seconds. Stays over restarts until it is ' +
      'removed. 409 for a budget that the configuration names. Audited. Not for keys bound to a team.',
  })
  @ApiParam(nameParameter)
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/BudgetRequest' } })
  @ApiResponse({ status: 200, description: 'The budget as it is now.', content: jsonOf('Budget') })
  async set(
    @Param() path: unknown,
    @Body() body: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<BudgetDocument> {
    return await this.#service.set(nameOf(path), parseRequest(setBudgetSchema, body), operatorOf(caller));
  }

  @Delete(':name')
  @RequireScope('operations:write')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'removeBudget',
    summary: 'Remove a budget that was set here; what waits for it goes on',
    description: '409 for a budget that the configuration names. Audited. Not for keys bound to a team.',
  })
  @ApiParam(nameParameter)
  @ApiQuery(reasonParameter)
  @ApiResponse({ status: 204, description: 'It holds no longer.' })
  async remove(
    @Param() path: unknown,
    @Query() query: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<void> {
    const { reason } = parseRequest(budgetReasonSchema, query);
    await this.#service.remove(nameOf(path), reason, operatorOf(caller));
  }

  @Put(':name/limit')
  @RequireScope('operations:write')
  @ApiOperation({
    operationId: 'setBudgetLimit',
    summary: 'Raise or lower the limit of a budget, in all running processes',
    description:
      'Holds for the present window at once, and above what the configuration says until it is reset. Audited, with who, when, from what, ' +
      'to what and why. Not for keys bound to a team.',
  })
  @ApiParam(nameParameter)
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/BudgetLimitRequest' } })
  @ApiResponse({ status: 200, description: 'The budget as it is now.', content: jsonOf('Budget') })
  async setLimit(
    @Param() path: unknown,
    @Body() body: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<BudgetDocument> {
    return await this.#service.setLimit(
      nameOf(path),
      parseRequest(budgetLimitSchema, body),
      operatorOf(caller),
    );
  }

  @Delete(':name/limit')
  @RequireScope('operations:write')
  @ApiOperation({
    operationId: 'resetBudgetLimit',
    summary: 'Let the limit of a budget be as configured again',
    description: 'Processes follow at once. Audited. Not for keys bound to a team.',
  })
  @ApiParam(nameParameter)
  @ApiQuery(reasonParameter)
  @ApiResponse({ status: 200, description: 'The budget as it is now.', content: jsonOf('Budget') })
  async resetLimit(
    @Param() path: unknown,
    @Query() query: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<BudgetDocument> {
    const { reason } = parseRequest(budgetReasonSchema, query);
    return await this.#service.resetLimit(nameOf(path), reason, operatorOf(caller));
  }
}

function nameOf(path: unknown): string {
  return parseRequest(budgetNameSchema, path).name;
}
