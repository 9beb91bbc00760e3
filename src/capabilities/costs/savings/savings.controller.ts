import { Controller, Get, Header, Inject, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Clock } from '../../../kernel/clock.ts';
import type { ApiKeyIdentity } from '../../../http/api-key-identity.ts';
import { Caller, RequireScope } from '../../../http/caller.ts';
import { jsonOf } from '../../../http/json-content.ts';
import { ApiFilters, ApiPeriod } from '../api-filters.ts';
import { clockToken } from '../clock-token.ts';
import { CostReports } from '../cost-reports.ts';
import { reportSavings } from './savings.ts';
import { parseSavingsParameters, type SavingsReportDocument } from './savings-document.ts';

/** GET /v1/costs/savings. */
@ApiTags('costs')
@ApiBearerAuth()
@Controller('v1/costs/savings')
@RequireScope('costs:read')
export class SavingsController {
  readonly #reports: CostReports;
  readonly #clock: Clock;

  constructor(@Inject(CostReports) reports: CostReports, @Inject(clockToken) clock: Clock) {
    this.#reports = reports;
    this.#clock = clock;
  }

  @Get()
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'getCostSavings',
    summary: 'What caching, cheaper tiers and cascades saved, and what bought nothing',
    description:
      'Cached tokens against uncached input, and batch, flex and other tiers against the standard one, at the prices by which the ' +
      'calls were priced; what smaller models of cascades saved; and waste by its cause. A period is at most 400 days long. A key bound to a team sees that team only.',
  })
  @ApiPeriod()
  @ApiFilters()
  @ApiResponse({ status: 200, content: jsonOf('CostSavings') })
  get(@Query() query: unknown, @Caller() caller: ApiKeyIdentity): Promise<SavingsReportDocument> {
    const request = parseSavingsParameters(query, this.#clock.now(), this.#reports.defaults);
    return reportSavings(this.#reports, request, caller);
  }
}
