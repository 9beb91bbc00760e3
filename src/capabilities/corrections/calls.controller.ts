import { Body, Controller, HttpCode, HttpStatus, Inject, Param, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { ApiKeyIdentity } from '../../http/api-key-identity.ts';
import { Caller, RequireScope } from '../../http/caller.ts';
import { parseRequest } from '../../http/request-faults.ts';
import { operatorOf } from '../../http/operator.ts';
import { CorrectionService, type CorrectionReport } from './correction-service.ts';
import { correctionOf, correctionRequestSchema } from './correction-requests.ts';

/** Single calls, for operators whose key is bound to no team. */
@ApiTags('calls')
@ApiBearerAuth()
@Controller('v1/calls')
export class CallsController {
  readonly #service: CorrectionService;

  constructor(@Inject(CorrectionService) service: CorrectionService) {
    this.#service = service;
  }

  @Post(':id/correct')
  @RequireScope('operations:write')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    operationId: 'correctCall',
    summary: 'Set what a call truly used, or say what that would change',
    description:
      'Reports get the difference by a correction record, and so do the limits of spend that the call counts in. The same ' +
      'again changes nothing. With dryRun nothing changes. The operation is audited. Needs a key without a team (403 ' +
      'otherwise): a correction gives money back to limits of spend or takes it.',
  })
  @ApiParam({
    name: 'id',
    description: 'The id of the call, as its message shows it.',
    schema: { type: 'string', format: 'uuid' },
  })
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/CorrectionRequest' } })
  @ApiResponse({
    status: 200,
    description: 'What was corrected.',
    content: { 'application/json': { schema: { $ref: '#/components/schemas/CorrectionReport' } } },
  })
  async correct(
    @Param('id') id: string,
    @Body() body: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<CorrectionReport> {
    const request = correctionOf(id, parseRequest(correctionRequestSchema, body));
    return await this.#service.correct(request, operatorOf(caller));
  }
}
