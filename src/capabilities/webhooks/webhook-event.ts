/** What endpoints can be told of without being named. */
export const webhookEventTypes = [
  'batch.halted',
  'batch.succeeded',
  'batch.failed',
  'batch.cancelled',
  'batch.expired',
  'request.completed',
  'request.failed',
  'request.cancelled',
] as const;
export type WebhookEventType = (typeof webhookEventTypes)[number];

/** The type of what an operator sends to try an endpoint. */
export const testEventType = 'webhook.test';
