import { keepSecret } from '../../telemetry/known-secrets.ts';
import type { CapabilityContext, CapabilityParts, NameOf } from '../capability.ts';
import { AddressPolicy, type AddressRules } from './address-policy.ts';
import { DeliveryStore } from './delivery-store.ts';
import { EndpointStore } from './endpoint-store.ts';
import { WebhookDeliveries } from './webhook-deliveries.ts';
import type { webhookMetrics } from './webhook-metrics.ts';
import type { webhookNames } from './webhook-names.ts';
import { WebhookSender } from './webhook-sender.ts';
import { WebhookService } from './webhook-service.ts';
import type { WebhooksSettings } from './webhook-settings.ts';

const turnMs = 1000;
const pruneMs = 60_000;

/** Composes webhooks: the service, what sends, what forgets. */
export function openWebhooks({
  settings: { webhooks: settings },
  database,
  clock,
  random,
  metrics,
  logger,
  bounds,
}: CapabilityContext<
  { readonly webhooks: WebhooksSettings },
  typeof webhookMetrics,
  never,
  NameOf<typeof webhookNames, 'bounds'>
>): CapabilityParts<NameOf<typeof webhookNames, 'jobs'>> {
  for (const { secret } of Object.values(settings.endpoints)) keepSecret(secret.text);
  const policy = new AddressPolicy(addressRulesOf(settings));
  const deliveries = new WebhookDeliveries({
    store: new DeliveryStore(database),
    sender: new WebhookSender({ settings, policy, clock, random }),
    metrics,
    clock,
    logger,
    keepDays: settings.keepDays,
  });
  bounds.register('webhook_requests', deliveries.bound);
  const service = new WebhookService({ store: new EndpointStore(database), policy, clock });
  return {
    services: [[WebhookService, service]],
    jobs: [
      {
        name: 'webhooks',
        intervalMs: turnMs,
        runsIn: 'maintenance',
        turn: (signal) => deliveries.turn(signal),
      },
      {
        name: 'prune_webhooks',
        intervalMs: pruneMs,
        runsIn: 'maintenance',
        turn: () => deliveries.prune(),
      },
    ],
    readGauges: () => deliveries.showGauges(),
  };
}

export function addressRulesOf({ allowPrivate = [], allowHttp, ports }: WebhooksSettings): AddressRules {
  return { allowPrivate, allowHttp, ports };
}
