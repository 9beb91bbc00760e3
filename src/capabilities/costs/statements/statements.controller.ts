import { Controller, Get, Header, Headers, Inject, Param, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiParam, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import { AppError } from '../../../kernel/app-error.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { acceptedFormat } from '../../../http/accepted-format.ts';
import type { ApiKeyIdentity } from '../../../http/api-key-identity.ts';
import { Caller, RequireScope } from '../../../http/caller.ts';
import { clockToken } from '../clock-token.ts';
import { CostReports } from '../cost-reports.ts';
import { pagePolicy } from '../../../http/pages/page.ts';
import type { ResponseWriter } from '../../../http/response-writer.ts';
import { parseStatementParameters, type StatementDocument } from './statement-document.ts';
import { statementForms } from './statement-forms.ts';
import { makeStatement } from './statements.ts';

const mediaTypes = statementForms.map(({ mediaType }) => mediaType);

/** GET /v1/statements/{month}. */
@ApiTags('costs')
@ApiBearerAuth()
@Controller('v1/statements')
@RequireScope('costs:read')
export class StatementsController {
  readonly #reports: CostReports;
  readonly #clock: Clock;

  constructor(@Inject(CostReports) reports: CostReports, @Inject(clockToken) clock: Clock) {
    this.#reports = reports;
    this.#clock = clock;
  }

  @Get(':month')
  @Header('Vary', 'Accept')
  @Header('Cache-Control', 'no-store')
  @ApiOperation({
    operationId: 'getStatement',
    summary: 'What a team spent in a month',
    description:
      'Totals with those of the month before; spend by feature, customer, model and day; waste by its cause; and what is open. As JSON, ' +
      'CSV, or an HTML page for people and printers. A key bound to a team gets that team only.',
  })
  @ApiParam({
    name: 'month',
    description: 'The month, in the reporting time zone.',
    schema: { type: 'string', examples: ['2026-11'] },
  })
  @ApiQuery({
    name: 'team',
    required: false,
    description: 'Default the team of the key, or all teams.',
    schema: { type: 'string' },
  })
  @ApiQuery({
    name: 'timezone',
    required: false,
    description: 'Whose month and days: an IANA name. Default the setting costs.reports.timeZone.',
    schema: { type: 'string' },
  })
  @ApiResponse({
    status: 200,
    content: {
      'application/json': { schema: { $ref: '#/components/schemas/Statement' } },
      'text/csv': { schema: { type: 'string' } },
      'text/html': { schema: { type: 'string' } },
    },
  })
  async get(
    @Param('month') month: string,
    @Query() query: Readonly<Record<string, unknown>>,
    @Headers('accept') accept: string | undefined,
    @Caller() caller: ApiKeyIdentity,
    @Res({ passthrough: true }) response: ResponseWriter,
  ): Promise<StatementDocument | string> {
    const type = acceptedFormat(accept, mediaTypes);
    const form = statementForms.find(({ mediaType }) => mediaType === type);
    if (form === undefined) {
      throw new AppError('MILLRACE_NOT_ACCEPTABLE', `Statements can be had as ${mediaTypes.join(' or ')}.`);
    }
    const now = this.#clock.now();
    const request = parseStatementParameters({ ...query, month }, now, this.#reports.defaults);
    const statement = await makeStatement(this.#reports, request, { now, viewer: caller });
    if (form.name === 'json') return statement;
    response.header('content-type', `${form.mediaType}; charset=utf-8`);
    if (form.name === 'html') response.header('content-security-policy', pagePolicy);
    return form.render(statement);
  }
}
