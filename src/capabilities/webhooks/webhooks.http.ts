import type { HttpPart } from '../http-part.ts';
import { WebhookDeliveriesController } from './webhook-deliveries.controller.ts';
import {
  deletedWebhookSchema,
  deliveryListSchema,
  deliverySchema,
  newWebhookSchema,
  queuedDeliverySchema,
  redeliveredSchema,
  webhookListSchema,
  webhookSchema,
} from './webhook-documents.ts';
import { webhookErrors } from './webhook-errors.ts';
import {
  changeWebhookSchema,
  createWebhookSchema,
  redeliverFailedSchema,
  rotateWebhookSchema,
} from './webhook-requests.ts';
import { WebhookService } from './webhook-service.ts';
import { WebhooksController } from './webhooks.controller.ts';

/** The part of the HTTP API. */
export const httpPart: HttpPart = {
  controllers: [WebhooksController, WebhookDeliveriesController],
  services: [WebhookService],
  answers: {
    Webhook: webhookSchema,
    WebhookList: webhookListSchema,
    NewWebhook: newWebhookSchema,
    DeletedWebhook: deletedWebhookSchema,
    WebhookDeliveryList: deliveryListSchema,
    WebhookDelivery: deliverySchema,
    QueuedDelivery: queuedDeliverySchema,
    Redelivered: redeliveredSchema,
  },
  requests: {
    WebhookRequest: createWebhookSchema,
    WebhookRotation: rotateWebhookSchema,
    WebhookChange: changeWebhookSchema,
    WebhookRedelivery: redeliverFailedSchema,
  },
  errorCodes: Object.keys(webhookErrors),
};
