import type { Capability } from '../capability.ts';
import { webhookErrors } from './webhook-errors.ts';
import { webhookMetrics } from './webhook-metrics.ts';
import { webhookNames } from './webhook-names.ts';
import { webhooksSettings } from './webhook-settings.ts';

/** Who is told of the ends of work: endpoints, signed deliveries with retries, their log. */
export const webhooks = {
  name: 'webhooks',
  configuration: { webhooks: webhooksSettings },
  names: webhookNames,
  errors: webhookErrors,
  metrics: webhookMetrics,
  http: async () => (await import('./webhooks.http.ts')).httpPart,
  open: async () => (await import('./open-webhooks.ts')).openWebhooks,
} as const satisfies Capability;
