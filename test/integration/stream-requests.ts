import type { Preparation } from './good-request.ts';
import type { TwoTeams } from './two-teams.ts';

/** Good requests to the operations about streams of requests; `newRequest` makes a request. */
export function streamRequests(
  two: TwoTeams,
  newRequest: () => Promise<{ readonly id: string }>,
): Readonly<Record<string, Preparation>> {
  // The stream of one that has not ended would go on.
  const cancelled = async (): Promise<{ readonly id: string }> => {
    const { id } = await newRequest();
    await two.operate('post', `/v1/requests/${id}/cancel`, {});
    return { id };
  };
  return {
    streamRequestEvents: async () => [
      {
        path: await cancelled(),
        query: { after: '1', format: 'ui-message-stream', whenEnded: 'none', token: 'mrs_any' },
      },
      { path: await cancelled() },
    ],
    createStreamToken: () => Promise.resolve([{ path: { id: two.amber.request } }]),
  };
}
