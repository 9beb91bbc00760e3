import { randomUUID } from 'node:crypto';
import type { Preparation } from './good-request.ts';
import type { TwoTeams } from './two-teams.ts';
import { writeWait } from './waiting-message.ts';

/** Good requests about pipelines and waits, see endpoint-requests.ts. */
export function waitRequests(two: TwoTeams): Readonly<Record<string, Preparation>> {
  return {
    listPipelines: () => Promise.resolve([{}]),
    getPipeline: () => Promise.resolve([{ path: { name: 'support' } }]),
    listWaits: () => Promise.resolve([{ query: { limit: '20', after: randomUUID() } }, {}]),
    completeWait: async () => {
      const { token } = await writeWait(two.fixture.database, 'amber');
      return [{ path: { token }, body: { data: { subject: 'x' }, reason: 'for the test' } }];
    },
  };
}
