import { Controller, Get, Header, Inject, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Clock } from '../../../kernel/clock.ts';
import type { ApiKeyIdentity } from '../../../http/api-key-identity.ts';
import { Caller, RequireScope } from '../../../http/caller.ts';
import { jsonOf } from '../../../http/json-content.ts';
import { ApiFilters, ApiPeriod } from '../api-filters.ts';
import { clockToken } from '../clock-token.ts';
import { CostReports } from '../cost-reports.ts';
import { labelFieldPattern } from '../cost-report-document.ts';
import {
  type ConcentrationDocument,
  defaultRankedNames,
  maxRankedNames,
  parseConcentrationParameters,
} from './concentration-document.ts';
import { rankedFields } from './concentration-query.ts';
import { readConcentration } from './concentrations.ts';

/** GET /v1/costs/concentration. */
@ApiTags('costs')
@ApiBearerAuth()
@Controller('v1/costs/concentration')
@RequireScope('costs:read')
export class ConcentrationController {
  readonly #reports: CostReports;
  readonly #clock: Clock;

  constructor(@Inject(CostReports) reports: CostReports, @Inject(clockToken) clock: Clock) {
    this.#reports = reports;
    this.#clock = clock;
  }

  @Get()
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'getCostConcentration',
    summary: 'The most expensive items, customers and so on, and their share of the spend',
    description:
      'The names that cost most, and what the most expensive percents of all names make of the whole. Sums are exact. ' +
      'A key bound to a team sees that team only.',
  })
  @ApiQuery({
    name: 'by',
    required: true,
    description: 'What is ranked: a field of reports, item, message, or a label (label:region).',
    schema: {
      anyOf: [
        { type: 'string', enum: [...rankedFields] },
        { type: 'string', pattern: labelFieldPattern.source },
      ],
    },
  })
  @ApiQuery({
    name: 'top',
    required: false,
    description: 'Names that are listed.',
    schema: { type: 'integer', minimum: 1, maximum: maxRankedNames, default: defaultRankedNames },
  })
  @ApiPeriod()
  @ApiFilters()
  @ApiResponse({ status: 200, content: jsonOf('CostConcentration') })
  get(@Query() query: unknown, @Caller() caller: ApiKeyIdentity): Promise<ConcentrationDocument> {
    const request = parseConcentrationParameters(query, this.#clock.now(), this.#reports.defaults);
    return readConcentration(this.#reports, request, caller);
  }
}
