import type { ClosedNames } from '../capability.ts';

/** What webhooks add to the closed lists of names. */
export const webhookNames = {
  jobs: ['webhooks', 'prune_webhooks'],
  bounds: ['webhook_requests'],
  boundsFullUnderLoad: ['webhook_requests'],
} as const satisfies Partial<ClosedNames>;
