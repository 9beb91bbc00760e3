import {
  Body,
  Controller,
  Delete,
  Get,
  Header,
  HttpCode,
  HttpStatus,
  Inject,
  Param,
  Post,
  Query,
} from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiBody,
  ApiOperation,
  ApiParam,
  ApiQuery,
  ApiResponse,
  ApiTags,
} from '@nestjs/swagger';
import type { ApiKeyIdentity } from '../../http/api-key-identity.ts';
import { Caller, RequireScope } from '../../http/caller.ts';
import { jsonOf } from '../../http/json-content.ts';
import { operatorOf } from '../../http/operator.ts';
import { parseRequest } from '../../http/request-faults.ts';
import type {
  DeletedWebhook,
  DeliveryList,
  NewWebhook,
  QueuedDelivery,
  Redelivered,
  WebhookDocument,
  WebhookList,
} from './webhook-documents.ts';
import {
  changeWebhookSchema,
  createWebhookSchema,
  deleteWebhookSchema,
  deliveryStates,
  listDeliveriesSchema,
  maxListedDeliveries,
  redeliverFailedSchema,
  rotateWebhookSchema,
} from './webhook-requests.ts';
import { WebhookService } from './webhook-service.ts';

const idParameter = {
  name: 'id',
  description: 'The id of the webhook, as the list shows it.',
  schema: { type: 'string', format: 'uuid' },
} as const;
const change = { required: true, schema: { $ref: '#/components/schemas/WebhookChange' } } as const;

/** Who is told of the ends of work. A key of a team sees and changes that team's. */
@ApiTags('webhooks')
@ApiBearerAuth()
@Controller('v1/webhooks')
export class WebhooksController {
  readonly #service: WebhookService;

  constructor(@Inject(WebhookService) service: WebhookService) {
    this.#service = service;
  }

  @Get()
  @RequireScope('webhooks:read')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'listWebhooks',
    summary: 'The webhooks, without their secrets',
    description: "A key bound to a team sees that team's; one without sees those of the configuration too.",
  })
  @ApiResponse({ status: 200, description: 'The webhooks.', content: jsonOf('WebhookList') })
  async list(@Caller() caller: ApiKeyIdentity): Promise<WebhookList> {
    return await this.#service.list(caller);
  }

  @Post()
  @RequireScope('webhooks:write')
  @HttpCode(HttpStatus.CREATED)
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'createWebhook',
    summary: 'Make a webhook',
    description:
      'The answer is the only place where its secret can ever be read. Its address has to be public and https, unless the configuration ' +
      'allows others; that is looked at again at every request. Audited.',
  })
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/WebhookRequest' } })
  @ApiResponse({
    status: 201,
    description: 'The webhook, with its secret this once.',
    content: jsonOf('NewWebhook'),
  })
  async create(@Body() body: unknown, @Caller() caller: ApiKeyIdentity): Promise<NewWebhook> {
    return await this.#service.create(parseRequest(createWebhookSchema, body), operatorOf(caller));
  }

  @Get(':id')
  @RequireScope('webhooks:read')
  @Header('cache-control', 'no-store')
  @ApiOperation({ operationId: 'getWebhook', summary: 'A webhook, without its secret' })
  @ApiParam(idParameter)
  @ApiResponse({ status: 200, description: 'The webhook.', content: jsonOf('Webhook') })
  async get(@Param('id') id: string, @Caller() caller: ApiKeyIdentity): Promise<WebhookDocument> {
    return await this.#service.get(id.toLowerCase(), caller);
  }

  @Delete(':id')
  @RequireScope('webhooks:write')
  @ApiOperation({
    operationId: 'deleteWebhook',
    summary: 'Delete a webhook, with what waits for it and its log',
    description: 'Not one of the configuration. Audited.',
  })
  @ApiParam(idParameter)
  @ApiQuery({
    name: 'reason',
    required: false,
    schema: { type: 'string', maxLength: 500 },
    description: 'Why.',
  })
  @ApiResponse({
    status: 200,
    description: 'The webhook that is deleted.',
    content: jsonOf('DeletedWebhook'),
  })
  async delete(
    @Param('id') id: string,
    @Query() query: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<DeletedWebhook> {
    const { reason } = parseRequest(deleteWebhookSchema, query);
    return await this.#service.delete(id.toLowerCase(), operatorOf(caller), reason);
  }

  @Post(':id/rotate')
  @RequireScope('webhooks:write')
  @HttpCode(HttpStatus.OK)
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'rotateWebhookSecret',
    summary: 'Give a webhook another secret; the old one signs as well for a time',
    description:
      'What is sent in that time carries both signatures. An earlier old secret ends at once. Audited.',
  })
  @ApiParam(idParameter)
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/WebhookRotation' } })
  @ApiResponse({
    status: 200,
    description: 'The webhook, with its new secret this once.',
    content: jsonOf('NewWebhook'),
  })
  async rotate(
    @Param('id') id: string,
    @Body() body: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<NewWebhook> {
    const rotation = parseRequest(rotateWebhookSchema, body);
    return await this.#service.rotate(id.toLowerCase(), rotation, operatorOf(caller));
  }

  @Post(':id/disable')
  @RequireScope('webhooks:write')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    operationId: 'disableWebhook',
    summary: 'Send nothing more to a webhook',
    description:
      'What waits for it is kept until it is enabled, as long as events are kept; nothing new is written for it. Audited.',
  })
  @ApiParam(idParameter)
  @ApiBody(change)
  @ApiResponse({ status: 200, description: 'The webhook.', content: jsonOf('Webhook') })
  async disable(
    @Param('id') id: string,
    @Body() body: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<WebhookDocument> {
    const { reason } = parseRequest(changeWebhookSchema, body);
    return await this.#service.setState(id.toLowerCase(), 'disabled', operatorOf(caller), reason);
  }

  @Post(':id/enable')
  @RequireScope('webhooks:write')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    operationId: 'enableWebhook',
    summary: 'Send to a webhook again',
    description: 'What waits for it is sent when it is due; what was given up on is redelivered. Audited.',
  })
  @ApiParam(idParameter)
  @ApiBody(change)
  @ApiResponse({ status: 200, description: 'The webhook.', content: jsonOf('Webhook') })
  async enable(
    @Param('id') id: string,
    @Body() body: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<WebhookDocument> {
    const { reason } = parseRequest(changeWebhookSchema, body);
    return await this.#service.setState(id.toLowerCase(), 'enabled', operatorOf(caller), reason);
  }

  @Post(':id/test')
  @RequireScope('webhooks:write')
  @HttpCode(HttpStatus.ACCEPTED)
  @ApiOperation({
    operationId: 'testWebhook',
    summary: 'Send an event of the type "webhook.test"',
    description: 'The delivery says what became of it. Audited.',
  })
  @ApiParam(idParameter)
  @ApiResponse({ status: 202, description: 'The delivery.', content: jsonOf('QueuedDelivery') })
  async test(@Param('id') id: string, @Caller() caller: ApiKeyIdentity): Promise<QueuedDelivery> {
    return await this.#service.test(id.toLowerCase(), operatorOf(caller));
  }

  @Get(':id/deliveries')
  @RequireScope('webhooks:read')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'listWebhookDeliveries',
    summary: 'What was sent to a webhook, or waits to be sent, newest first',
  })
  @ApiParam(idParameter)
  @ApiQuery({
    name: 'state',
    required: false,
    description: 'Only deliveries in this state.',
    schema: { type: 'string', enum: [...deliveryStates] },
  })
  @ApiQuery({
    name: 'limit',
    required: false,
    description: 'The most deliveries in the answer.',
    schema: { type: 'integer', minimum: 1, maximum: maxListedDeliveries, default: 50 },
  })
  @ApiQuery({
    name: 'after',
    required: false,
    schema: { type: 'string' },
    description: 'The "next" of the answer before.',
  })
  @ApiResponse({ status: 200, description: 'A page.', content: jsonOf('WebhookDeliveryList') })
  async deliveries(
    @Param('id') id: string,
    @Query() query: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<DeliveryList> {
    const asked = parseRequest(listDeliveriesSchema, query);
    return await this.#service.listDeliveries(id.toLowerCase(), asked, caller);
  }

  @Post(':id/redeliver')
  @RequireScope('webhooks:write')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    operationId: 'redeliverWebhook',
    summary: 'Send again what was given up on in a time',
    description: 'Under the same ids, the oldest first. Audited.',
  })
  @ApiParam(idParameter)
  @ApiBody({ required: true, schema: { $ref: '#/components/schemas/WebhookRedelivery' } })
  @ApiResponse({ status: 200, description: 'How many are sent again.', content: jsonOf('Redelivered') })
  async redeliver(
    @Param('id') id: string,
    @Body() body: unknown,
    @Caller() caller: ApiKeyIdentity,
  ): Promise<Redelivered> {
    const { reason, ...asked } = parseRequest(redeliverFailedSchema, body);
    return await this.#service.redeliverFailed(id.toLowerCase(), asked, operatorOf(caller), reason);
  }
}
