import { Controller, Get, Header, Headers, Inject, Query, Res, StreamableFile } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import { AppError } from '../../../kernel/app-error.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { acceptedFormat } from '../../../http/accepted-format.ts';
import type { ApiKeyIdentity } from '../../../http/api-key-identity.ts';
import { Caller, RequireScope } from '../../../http/caller.ts';
import { clockToken } from '../clock-token.ts';
import { ApiFilters } from '../api-filters.ts';
import { startingWith, streamOf } from '../../../http/streamed-answer.ts';
import type { ResponseWriter } from '../../../http/response-writer.ts';
import { FocusExports } from './focus-export.ts';
import { focusFile, type FocusFormat, focusFormats } from './focus-file.ts';
import { parseFocusParameters } from './focus-parameters.ts';
import { focusGrains } from './focus-query.ts';

const formatNames: readonly FocusFormat[] = ['csv', 'parquet'];

/** Usage and cost for tools that read FOCUS. */
@ApiTags('costs')
@ApiBearerAuth()
@Controller('v1/focus')
@RequireScope('costs:read')
export class FocusController {
  readonly #exports: FocusExports;
  readonly #clock: Clock;

  constructor(@Inject(FocusExports) exports: FocusExports, @Inject(clockToken) clock: Clock) {
    this.#exports = exports;
    this.#clock = clock;
  }

  @Get()
  @Header('Vary', 'Accept')
  @ApiOperation({
    operationId: 'getFocus',
    summary: 'Usage and cost of a period as FOCUS 1.4',
    description:
      'A "Cost and Usage" dataset of the FinOps Open Cost and Usage Specification: a row for each hour or day, origin, stage, ' +
      'SKU and price. Costs add up to those of GET /v1/costs. What is unpriced or unsettled costs 0 in a row that says so in ' +
      'x_CostStatus and its own columns. A key bound to a team gets that team only.',
  })
  @ApiQuery({
    name: 'from',
    required: false,
    schema: { type: 'string' },
    description:
      'First moment, included: the start of a day (or hour) in UTC. Default the start of the month.',
  })
  @ApiQuery({
    name: 'to',
    required: false,
    schema: { type: 'string' },
    description: 'Last moment, excluded, likewise. Default the start of today (or of this hour).',
  })
  @ApiQuery({
    name: 'granularity',
    required: false,
    description: 'The length of a charge period.',
    schema: { type: 'string', enum: [...focusGrains], default: 'day' },
  })
  @ApiQuery({
    name: 'token_details',
    required: false,
    description:
      'Whether SkuPriceDetails has the keys of the 1.5 working draft: ModelDeveloper, ModelId, TokenDirection, TokenCacheAction.',
    schema: { type: 'boolean', default: false },
  })
  @ApiFilters()
  @ApiResponse({
    status: 200,
    description: 'The dataset, sent as it is read. A transfer that breaks off is not the whole of it.',
    content: {
      'text/csv': { schema: { type: 'string' } },
      'application/vnd.apache.parquet': { schema: { type: 'string', format: 'binary' } },
    },
  })
  async get(
    @Query() query: unknown,
    @Headers('accept') accept: string | undefined,
    @Caller() caller: ApiKeyIdentity,
    @Res({ passthrough: true }) response: ResponseWriter,
  ): Promise<StreamableFile> {
    const type = acceptedFormat(accept, Object.values(focusFormats));
    const format = formatNames.find((name) => focusFormats[name] === type);
    if (format === undefined) {
      throw new AppError(
        'MILLRACE_NOT_ACCEPTABLE',
        `FOCUS datasets can be had as ${Object.values(focusFormats).join(' or ')}.`,
      );
    }
    const request = parseFocusParameters(query, this.#clock.now());
    const pieces = this.#exports.rows(request, caller);
    // What refuses the whole is answered as a problem, before any of it is sent.
    const first = await pieces.next();
    response.header('cache-control', 'no-store');
    const bytes = focusFile(format, startingWith(first, pieces));
    return new StreamableFile(streamOf(bytes, this.#clock), {
      type: format === 'csv' ? `${focusFormats.csv}; charset=utf-8; header=present` : focusFormats[format],
      disposition: `attachment; filename="${nameOf(request.from, request.to)}.${format}"`,
    });
  }
}

function nameOf(from: Date, to: Date): string {
  const dayOf = (time: Date): string => time.toISOString().slice(0, 10);
  return `focus-${dayOf(from)}-${dayOf(to)}`;
}
