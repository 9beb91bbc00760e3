import { Body, Controller, Get, Header, HttpCode, HttpStatus, Inject, Param, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { ApiKeyIdentity } from '../../http/api-key-identity.ts';
import { Caller, RequireScope } from '../../http/caller.ts';
import { jsonOf } from '../../http/json-content.ts';
import { operatorOf } from '../../http/operator.ts';
import { parseRequest } from '../../http/request-faults.ts';
import type { DeliveryDocument, QueuedDelivery } from './webhook-documents.ts';
import { changeWebhookSchema } from './webhook-requests.ts';
import { WebhookService } from './webhook-service.ts';

const idParameter = {
  name: 'id',
  description: 'The id of the delivery, as the list of a webhook shows it.',
  schema: { type: 'string', format: 'uuid' },
} as const;

/** Single deliveries. A key of a team sees and changes that team's. */
@ApiTags('webhooks')
@ApiBearerAuth()
@Controller('v1/webhook-deliveries')
export class WebhookDeliveriesController {
  readonly #service: WebhookService;

  constructor(@Inject(WebhookService) service: WebhookService) {
    this.#service = service;
  }

  @Get(':id')
  @RequireScope('webhooks:read')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'getWebhookDelivery',
    summary: 'A delivery, with what is sent and its latest attempts',
  })
  @ApiParam(idParameter)
  @ApiResponse({ status: 200, description: 'The delivery.', content: jsonOf('WebhookDelivery') })
  async get(@Param('id') id: string, @Caller() caller: ApiKeyIdentity): Promise<DeliveryDocument> {
    return await this.#service.getDelivery(id.toLowerCase(), caller);
  }

  @Post(':id/redeliver')
  @RequireScope('webhooks:write')
  @HttpCode(HttpStatus.ACCEPTED)
  @ApiOperation({
    operationId: 'redeliverWebhookDelivery',
    summary: 'Send a delivery again, also one that was taken',
    description: 'Under the same id, with all of its attempts. Audited.',
  })
  @ApiParam(idParameter)
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/WebhookChange' } })
  @ApiResponse({ status: 202, description: 'The delivery.', content: jsonOf('QueuedDelivery') })
  async redeliver(
    @Param('id') id: string,
    @Body() body: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<QueuedDelivery> {
    const { reason } = parseRequest(changeWebhookSchema, body);
    return await this.#service.redeliver(id.toLowerCase(), operatorOf(caller), reason);
  }
}
