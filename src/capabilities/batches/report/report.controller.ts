import { Controller, Get, Header, Headers, Inject, Param, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiParam, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { acceptedFormat } from '../../../http/accepted-format.ts';
import type { ApiKeyIdentity } from '../../../http/api-key-identity.ts';
import { Caller, RequireScope } from '../../../http/caller.ts';
import { pagePolicy } from '../../../http/pages/page.ts';
import { parseRequest } from '../../../http/request-faults.ts';
import type { ResponseWriter } from '../../../http/response-writer.ts';
import { AppError } from '../../../kernel/app-error.ts';
import { BatchReports } from './batch-reports.ts';
import type { BatchReportDocument } from './report-document.ts';
import { reportForms } from './report-forms.ts';

const mediaTypes = reportForms.map(({ mediaType }) => mediaType);
const formNames = reportForms.map(({ name }) => name);

const querySchema = z.strictObject({
  format: z.enum(formNames, { error: `is any of ${formNames.join(', ')}, given once` }).optional(),
});

/** GET /v1/batches/{id}/report. */
@ApiTags('batches')
@ApiBearerAuth()
@Controller('v1/batches')
@RequireScope('costs:read')
export class BatchReportController {
  readonly #reports: BatchReports;

  constructor(@Inject(BatchReports) reports: BatchReports) {
    this.#reports = reports;
  }

  @Get(':id/report')
  @Header('Vary', 'Accept')
  @Header('Cache-Control', 'no-store')
  @ApiOperation({
    operationId: 'getBatchReport',
    summary: 'What a batch came to',
    description:
      'Items and why they failed, time by stage, tokens, what it cost in total, by item, model and tier, waste, savings, how spend is ' +
      'spread over items, and the batch before it. Of a batch that goes on, the report so far. As JSON, or as an HTML page for people ' +
      'and printers. A key bound to a team sees the batches of that team only.',
  })
  @ApiParam({ name: 'id', description: 'The id of the batch.', schema: { type: 'string', format: 'uuid' } })
  @ApiQuery({
    name: 'format',
    required: false,
    description: 'The form of the report, whatever is accepted.',
    schema: { type: 'string', enum: formNames },
  })
  @ApiResponse({
    status: 200,
    content: {
      'application/json': { schema: { $ref: '#/components/schemas/BatchReport' } },
      'text/html': { schema: { type: 'string' } },
    },
  })
  async get(
    @Param('id') id: string,
    @Query() query: Readonly<Record<string, unknown>>,
    @Headers('accept') accept: string | undefined,
    @Caller() caller: ApiKeyIdentity,
    @Res({ passthrough: true }) response: ResponseWriter,
  ): Promise<BatchReportDocument | string> {
    const { format } = parseRequest(querySchema, query);
    const type = acceptedFormat(accept, mediaTypes);
    const form = reportForms.find(({ name, mediaType }) =>
      format === undefined ? mediaType === type : name === format,
    );
    if (form === undefined) {
      throw new AppError(
        'MILLRACE_NOT_ACCEPTABLE',
        `Reports of batches can be had as ${mediaTypes.join(' or ')}.`,
      );
    }
    const report = await this.#reports.read({ kind: 'id', id }, caller);
    if (form.name === 'json') return report;
    response.header('content-type', `${form.mediaType}; charset=utf-8`);
    response.header('content-security-policy', pagePolicy);
    return form.render(report);
  }
}
