import { Controller, Get, Header, Inject } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { ApiKeyIdentity } from '../../http/api-key-identity.ts';
import { type BudgetReport, BudgetReports } from './budget-reports.ts';
import { Caller, RequireScope } from '../../http/caller.ts';

@ApiTags('costs')
@ApiBearerAuth()
@Controller('v1/budgets')
@RequireScope('costs:read')
export class BudgetsController {
  readonly #reports: BudgetReports;

  constructor(@Inject(BudgetReports) reports: BudgetReports) {
    this.#reports = reports;
  }

  @Get()
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'getBudgets',
    summary: 'The budgets that hold, and what their present windows say',
    description:
      'Amounts are exact decimal strings in US dollars, as of now. A key bound to a team sees the budgets of that team ' +
      'alone, not those over several teams.',
  })
  @ApiResponse({
    status: 200,
    description: 'The budgets, by name.',
    content: { 'application/json': { schema: { $ref: '#/components/schemas/BudgetReport' } } },
  })
  async get(@Caller() caller: ApiKeyIdentity): Promise<BudgetReport> {
    return this.#reports.report(caller);
  }
}
