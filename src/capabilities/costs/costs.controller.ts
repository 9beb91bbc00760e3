import { Controller, Get, Header, Headers, HttpStatus, Inject, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import { AppError } from '../../kernel/app-error.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { ResponseWriter } from '../../http/response-writer.ts';
import { costGroupFields, maxCostGroups, messageCounts } from './cost-query.ts';
import { ApiFilters, ApiPeriod } from './api-filters.ts';
import { acceptedFormat } from '../../http/accepted-format.ts';
import type { ApiKeyIdentity } from '../../http/api-key-identity.ts';
import { Caller, RequireScope } from '../../http/caller.ts';
import { clockToken } from './clock-token.ts';
import { renderCostCsv } from './cost-csv.ts';
import { costOrders, parseCostParameters } from './cost-parameters.ts';
import { type CostReportDocument, labelFieldPattern } from './cost-report-document.ts';
import { CostReports } from './cost-reports.ts';
import { isMatched } from './report-validator.ts';

const formats = ['application/json', 'text/csv'] as const;

/** Cost reports. */
@ApiTags('costs')
@ApiBearerAuth()
@Controller('v1/costs')
@RequireScope('costs:read')
export class CostsController {
  readonly #reports: CostReports;
  readonly #clock: Clock;

  constructor(@Inject(CostReports) reports: CostReports, @Inject(clockToken) clock: Clock) {
    this.#reports = reports;
    this.#clock = clock;
  }

  @Get()
  @Header('Vary', 'Accept')
  @ApiOperation({
    operationId: 'getCosts',
    summary: 'What the calls of a period cost, and for whom',
    description:
      'Amounts are exact decimal strings in US dollars; groups add up to the totals. What is unpriced or unsettled is ' +
      'counted apart, never as zero. A key bound to a team sees that team only.',
  })
  @ApiQuery({
    name: 'group_by',
    required: false,
    style: 'form',
    explode: false,
    description:
      'Fields to group by, separated by commas or repeated; label:region is a label. None: the totals only.',
    schema: {
      type: 'array',
      items: {
        anyOf: [
          { type: 'string', enum: [...costGroupFields] },
          { type: 'string', pattern: labelFieldPattern.source },
        ],
      },
    },
  })
  @ApiPeriod()
  @ApiQuery({
    name: 'compare',
    required: false,
    description:
      'Gives groups and totals the figures of the period before, of equal length: as many months or days where the period is whole ones of the time zone. Not for groups that are times.',
    schema: { type: 'string', enum: ['previous'] },
  })
  @ApiQuery({
    name: 'completed',
    required: false,
    description:
      'Whether messages that completed in the period are counted, and what each cost: not by provider, model or waste.',
    schema: { type: 'boolean', default: false },
  })
  @ApiQuery({
    name: 'order',
    required: false,
    description: 'What to sort by; a minus puts the greatest first.',
    schema: { type: 'string', enum: [...costOrders], default: '-cost' },
  })
  @ApiQuery({
    name: 'limit',
    required: false,
    description: 'The most groups in the answer.',
    schema: { type: 'integer', minimum: 1, maximum: maxCostGroups, default: 1000 },
  })
  @ApiQuery({
    name: 'messages',
    required: false,
    description:
      'How distinct messages are counted: estimated within some percent, exact (which takes memory by their number), or not at all.',
    schema: { type: 'string', enum: [...messageCounts], default: 'estimated' },
  })
  @ApiFilters()
  @ApiResponse({
    status: 304,
    description: 'The report is the one that the caller has: If-None-Match named its entity tag.',
  })
  @ApiResponse({
    status: 200,
    description: 'The report, as JSON or, when the request accepts text/csv, as CSV with one line a group.',
    headers: {
      etag: {
        description: 'A weak entity tag, where from or to name a period that is over.',
        schema: { type: 'string' },
      },
      'millrace-truncated': {
        description: 'CSV only: whether there are more groups than the limit.',
        schema: { type: 'boolean' },
      },
      'millrace-message-count': {
        description: 'CSV only: messageCount of the JSON form.',
        schema: { type: 'string', enum: [...messageCounts] },
      },
      'millrace-total-cost-usd': {
        description: 'CSV only: totals.costUsd of the JSON form.',
        schema: { type: 'string' },
      },
    },
    content: {
      'application/json': { schema: { $ref: '#/components/schemas/CostReport' } },
      'text/csv': { schema: { type: 'string' } },
    },
  })
  async get(
    @Query() query: unknown,
    @Headers('accept') accept: string | undefined,
    @Headers('if-none-match') known: string | undefined,
    @Caller() caller: ApiKeyIdentity,
    @Res({ passthrough: true }) response: ResponseWriter,
  ): Promise<CostReportDocument | string> {
    const format = acceptedFormat(accept, formats);
    if (format === undefined) {
      throw new AppError('MILLRACE_NOT_ACCEPTABLE', `Costs can be had as ${formats.join(' or ')}.`);
    }
    const request = parseCostParameters(query, this.#clock.now(), this.#reports.defaults);
    const validator = await this.#reports.validator(request, caller);
    if (validator === undefined) response.header('cache-control', 'no-store');
    else {
      const tag = validator.replace(/"$/, format === 'text/csv' ? '-csv"' : '"');
      response.header('cache-control', 'private, no-cache');
      response.header('etag', tag);
      if (isMatched(known, tag)) {
        response.status(HttpStatus.NOT_MODIFIED);
        return '';
      }
    }
    const report = await this.#reports.report(request, caller);
    if (format === 'application/json') return report;
    response.header('content-type', 'text/csv; charset=utf-8; header=present');
    response.header('millrace-truncated', String(report.truncated));
    response.header('millrace-message-count', report.messageCount);
    response.header('millrace-total-cost-usd', report.totals.costUsd);
    return renderCostCsv(report);
  }
}
