import { Controller, Get, Header, Inject, Param } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { ApiKeyIdentity } from '../../http/api-key-identity.ts';
import { Caller, RequireScope } from '../../http/caller.ts';
import { jsonOf } from '../../http/json-content.ts';
import type { CallPriceDocument } from './call-price/call-price-document.ts';
import { CallPrices } from './call-price/call-prices.ts';

/** What single calls cost, and why. */
@ApiTags('calls')
@ApiBearerAuth()
@Controller('v1/calls')
export class CallPriceController {
  readonly #prices: CallPrices;

  constructor(@Inject(CallPrices) prices: CallPrices) {
    this.#prices = prices;
  }

  @Get(':id/price')
  @RequireScope('costs:read')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'explainCallPrice',
    summary: 'The arithmetic of what a call cost',
    description:
      'The rule with its sources, each count times its rate, what the provider said it charged, and every correction. A key bound to a ' +
      'team finds the calls of that team alone.',
  })
  @ApiParam({
    name: 'id',
    description: 'The id of the call, as its message shows it.',
    schema: { type: 'string', format: 'uuid' },
  })
  @ApiResponse({ status: 200, description: 'What it cost.', content: jsonOf('CallPrice') })
  async explain(@Param('id') id: string, @Caller() { team }: ApiKeyIdentity): Promise<CallPriceDocument> {
    return await this.#prices.explain(id, team === undefined ? {} : { team });
  }
}
