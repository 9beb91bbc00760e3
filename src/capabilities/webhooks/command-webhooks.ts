import type { Installation } from '../../terminal/installation.ts';
import { AddressPolicy } from './address-policy.ts';
import { EndpointStore } from './endpoint-store.ts';
import { addressRulesOf } from './open-webhooks.ts';
import { WebhookService } from './webhook-service.ts';
import type { WebhooksSettings } from './webhook-settings.ts';

/** What it reads of the configuration. */
export interface WebhookCommandSettings {
  readonly webhooks: WebhooksSettings;
}

/** Webhooks in an operator's command: the ledger is enough. Throws what opening it throws. */
export function withWebhookService<Result>(
  { settings, withLedger }: Installation<WebhookCommandSettings>,
  work: (service: WebhookService) => Promise<Result>,
): Promise<Result> {
  const policy = new AddressPolicy(addressRulesOf(settings.webhooks));
  return withLedger(({ database, clock }) =>
    work(new WebhookService({ store: new EndpointStore(database), policy, clock })),
  );
}
