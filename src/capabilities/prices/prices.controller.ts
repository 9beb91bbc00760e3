import { Body, Controller, HttpCode, HttpStatus, Inject, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { ApiKeyIdentity } from '../../http/api-key-identity.ts';
import { operatorOf } from '../../http/operator.ts';
import { Caller, RequireScope } from '../../http/caller.ts';
import { jsonOf } from '../../http/json-content.ts';
import { parseRequest } from '../../http/request-faults.ts';
import { type RepriceReport, repriceRequestSchema } from './reprice/reprice-document.ts';
import { RepriceService } from './reprice/reprice-service.ts';

/** Slices of one request: as many rows as are looked at in some seconds. */
const slicesOfRequest = 20;

/** What operators do with prices, by a key without a team. */
@ApiTags('prices')
@ApiBearerAuth()
@Controller('v1/prices')
export class PricesController {
  readonly #reprices: RepriceService;

  constructor(@Inject(RepriceService) reprices: RepriceService) {
    this.#reprices = reprices;
  }

  @Post('reprice')
  @RequireScope('operations:write')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    operationId: 'repriceCalls',
    summary: 'Compute the cost of settled calls again by the present prices, and book the differences',
    description:
      'A call whose cost is another one gets a correction record with the differences by class; reports and limits of spend get ' +
      'them. The same again changes nothing. One request looks at 10,000 rows: while the answer has `next`, ask again with it. With dryRun ' +
      'nothing changes. Audited. Not for keys bound to a team.',
  })
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/RepriceRequest' } })
  @ApiResponse({ status: 200, description: 'What was corrected.', content: jsonOf('RepriceReport') })
  async reprice(@Body() body: unknown, @Caller() caller: ApiKeyIdentity): Promise<RepriceReport> {
    const request = parseRequest(repriceRequestSchema, body);
    return await this.#reprices.reprice(request, operatorOf(caller), { maxSlices: slicesOfRequest });
  }
}
