import type { Preparation } from './good-request.ts';
import type { TwoTeams } from './two-teams.ts';

const reason = 'for the test';
const message = {
  type: 'ticket.opened',
  schemaVersion: 1,
  data: { subject: 'amber' },
  origin: { team: 'amber', customer: 'c', feature: 'f', labels: { tier: 'gold' } },
  item: 'digest',
  lane: 'bulk',
};

/** Good requests to the operations about schedules. */
export function scheduleRequests(two: TwoTeams, unused: () => string): Readonly<Record<string, Preparation>> {
  const rules = { missed: 'all', maxCatchUp: 5, overlap: 'skip', message, reason };
  const even = (name: string) => ({
    ...rules,
    name,
    description: 'a digest',
    every: '15m',
    startAt: '2026-01-01T00:00:00Z',
    endAt: '2099-01-01T00:00:00Z',
    jitter: '30s',
  });
  const byCalendar = (name: string) => ({ ...rules, name, cron: '0 6 * * 1-5', timeZone: 'Europe/Berlin' });
  const made = async (): Promise<{ readonly id: string }> => {
    const { id } = await two.operate('post', '/v1/schedules', even(unused()));
    return { id };
  };
  const paused = async () => {
    const path = await made();
    await two.operate('post', `/v1/schedules/${path.id}/pause`, { reason });
    return path;
  };
  return {
    listSchedules: () => Promise.resolve([{ query: { limit: '20', after: 'a/amber' } }, {}]),
    createSchedule: () => Promise.resolve([{ body: even(unused()) }, { body: byCalendar(unused()) }]),
    getSchedule: async () => [{ path: await made(), query: { nextTimes: '3', runs: '5' } }],
    replaceSchedule: async () => [
      { path: await made(), body: even(unused()) },
      { path: await made(), body: byCalendar(unused()) },
    ],
    deleteSchedule: async () => [{ path: await made(), query: { reason } }],
    pauseSchedule: async () => [{ path: await made(), body: { reason } }],
    resumeSchedule: async () => [{ path: await paused(), body: { reason } }],
    runSchedule: async () => [{ path: await made(), body: { reason } }],
  };
}
