import type { Uuid } from '../../src/kernel/ids.ts';
import type { Preparation } from './good-request.ts';
import type { TwoTeams } from './two-teams.ts';

const reason = 'for the test';

/** Good requests to the operations of webhooks. Each webhook has a team of its own: a team may have a bounded number. */
export function webhookRequests(
  two: TwoTeams,
  unused: () => string,
  after: string,
): Readonly<Record<string, Preparation>> {
  const wanted = () => ({
    name: unused(),
    url: 'https://hooks.example.com/amber',
    events: ['request.completed', 'batch.failed'],
    team: unused(),
    signing: 'v1a',
    reason,
  });
  const made = async (): Promise<{ readonly id: Uuid }> => ({
    id: (await two.operate('post', '/v1/webhooks', wanted())).id,
  });
  const delivery = async (): Promise<{ readonly id: Uuid }> => {
    const { id } = await made();
    return { id: (await two.operate('post', `/v1/webhooks/${id}/test`)).delivery ?? '' };
  };
  const ofWebhook: Preparation = async () => [{ path: await made() }];
  const change: Preparation = async () => [{ path: await made(), body: { reason } }];
  return {
    listWebhooks: () => Promise.resolve([{}]),
    createWebhook: () => Promise.resolve([{ body: wanted() }]),
    getWebhook: ofWebhook,
    deleteWebhook: async () => [{ path: await made(), query: { reason } }],
    rotateWebhookSecret: async () => [{ path: await made(), body: { overlapSeconds: 60, reason } }],
    disableWebhook: change,
    enableWebhook: change,
    testWebhook: ofWebhook,
    listWebhookDeliveries: async () => [
      { path: await made(), query: { state: 'pending', limit: '20', after } },
      { path: await made() },
    ],
    redeliverWebhook: async () => [
      { path: await made(), body: { from: '2026-03-01', to: '2026-03-05T00:00:00Z', max: 10, reason } },
    ],
    getWebhookDelivery: async () => [{ path: await delivery() }],
    redeliverWebhookDelivery: async () => [{ path: await delivery(), body: { reason } }],
  };
}
