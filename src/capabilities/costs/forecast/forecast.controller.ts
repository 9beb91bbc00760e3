import { Controller, Get, Header, Inject, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Clock } from '../../../kernel/clock.ts';
import type { ApiKeyIdentity } from '../../../http/api-key-identity.ts';
import { Caller, RequireScope } from '../../../http/caller.ts';
import { jsonOf } from '../../../http/json-content.ts';
import { ApiFilters } from '../api-filters.ts';
import { clockToken } from '../clock-token.ts';
import { CostReports } from '../cost-reports.ts';
import { type ForecastDocument, parseForecastParameters } from './forecast-document.ts';
import { forecastMonth } from './spend-forecasts.ts';

/** GET /v1/costs/forecast. */
@ApiTags('costs')
@ApiBearerAuth()
@Controller('v1/costs/forecast')
@RequireScope('costs:read')
export class ForecastController {
  readonly #reports: CostReports;
  readonly #clock: Clock;

  constructor(@Inject(CostReports) reports: CostReports, @Inject(clockToken) clock: Clock) {
    this.#reports = reports;
    this.#clock = clock;
  }

  @Get()
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'getCostForecast',
    summary: 'What the month will have cost',
    description:
      'What was spent in the month so far, and for the time that is left the mean of its weekdays in the last 28 days, with a range. ' +
      'A key bound to a team sees that team only.',
  })
  @ApiQuery({
    name: 'timezone',
    required: false,
    description: 'Whose month and days: an IANA name. Default the setting costs.reports.timeZone.',
    schema: { type: 'string' },
  })
  @ApiFilters()
  @ApiResponse({ status: 200, content: jsonOf('CostForecast') })
  get(@Query() query: unknown, @Caller() caller: ApiKeyIdentity): Promise<ForecastDocument> {
    const request = parseForecastParameters(query, this.#reports.defaults);
    return forecastMonth(this.#reports, request, { now: this.#clock.now(), viewer: caller });
  }
}
