import { Controller, Get, Header, Inject, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Clock } from '../../../kernel/clock.ts';
import type { ApiKeyIdentity } from '../../../http/api-key-identity.ts';
import { Caller, RequireScope } from '../../../http/caller.ts';
import { jsonOf } from '../../../http/json-content.ts';
import { ApiFilters, ApiPeriod } from '../api-filters.ts';
import { clockToken } from '../clock-token.ts';
import { CostReports } from '../cost-reports.ts';
import { costFilterFields } from '../cost-query.ts';
import { labelFieldPattern } from '../cost-report-document.ts';
import { findAnomalies } from './anomalies.ts';
import { type AnomalyDocument, defaultThreshold, parseAnomalyParameters } from './anomaly-document.ts';

/** GET /v1/costs/anomalies. */
@ApiTags('costs')
@ApiBearerAuth()
@Controller('v1/costs/anomalies')
@RequireScope('costs:read')
export class AnomaliesController {
  readonly #reports: CostReports;
  readonly #clock: Clock;

  constructor(@Inject(CostReports) reports: CostReports, @Inject(clockToken) clock: Clock) {
    this.#reports = reports;
    this.#clock = clock;
  }

  @Get()
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'getCostAnomalies',
    summary: 'Hours in which much more or less was spent than usual',
    description:
      'Each hour is compared with the same hour of the same weekday in the 8 weeks before, by median and median absolute deviation. ' +
      'Without anomalies the answer says why. A period is at most 7 days long; without one the last 24 whole hours are judged. ' +
      'A key bound to a team sees that team only.',
  })
  @ApiQuery({
    name: 'by',
    required: false,
    description: 'Whose spend is judged: a field of reports, or a label (label:region).',
    schema: {
      anyOf: [
        { type: 'string', enum: [...costFilterFields] },
        { type: 'string', pattern: labelFieldPattern.source },
      ],
      default: 'team',
    },
  })
  @ApiQuery({
    name: 'threshold',
    required: false,
    description: 'Deviations from the median from which an hour is unusual.',
    schema: { type: 'number', minimum: 1, maximum: 1000, default: defaultThreshold },
  })
  @ApiPeriod()
  @ApiFilters()
  @ApiResponse({ status: 200, content: jsonOf('CostAnomalies') })
  get(@Query() query: unknown, @Caller() caller: ApiKeyIdentity): Promise<AnomalyDocument> {
    const now = this.#clock.now();
    const request = parseAnomalyParameters(query, now, this.#reports.defaults);
    return findAnomalies(this.#reports, request, { now, viewer: caller });
  }
}
