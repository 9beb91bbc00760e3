import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import {
  defaultRequestLimits,
  type RefusalReason,
  RequestLimits,
} from '../../src/host/http/request-limits.ts';
import { CostReports } from '../../src/capabilities/costs/cost-reports.ts';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import { AppError } from '../../src/kernel/app-error.ts';
import { ManualClock } from '../../src/kernel/manual-clock.ts';
import { LogLines, startApi } from './api-application.ts';
import { type ApiFixture, openApiFixture } from './api-fixture.ts';
import { drip } from './dripping-request.ts';
import { requestTo } from './request-to.ts';

/*
 * What the log has of requests that are refused or given up, however many there are. The first application of a process
 * alone logs requests, so they have a file and an application to themselves.
 */

const clock = new ManualClock();
const lines = new LogLines();
const limits = new RequestLimits({ ...defaultRequestLimits, concurrentRequests: 3 }, clock);
const reasons: RefusalReason[] = [];
const store = {
  database: 'nowhere',
  query: () => Promise.reject(new AppError('MILLRACE_COLUMN_STORE_UNAVAILABLE', 'away')),
} as unknown as ColumnStore;

let fixture: ApiFixture;
let app: NestFastifyApplication;
let key: string;
let before = 0;

beforeAll(async () => {
  fixture = await openApiFixture();
  key = await fixture.newKey(['admin']);
  app = await startApi(fixture.services({ clock, provided: [[CostReports, new CostReports({ store })]] }), {
    lines,
    logLevel: 'debug',
    clock,
    limits,
    onRefused: (reason) => reasons.push(reason),
  });
});

afterAll(async () => {
  await app.close();
  await fixture.close();
});

beforeEach(() => {
  before = lines.parsed.length;
});

const said = (atLeast: string) =>
  lines.parsed
    .slice(before)
    .filter((line) => 'requestId' in line && (atLeast === 'debug' || line['level'] !== 'debug'));

it('is no error of clients that go away in the middle of a body, whose places are free again', async () => {
  for (let time = 1; time <= 5; time += 1) {
    const { socket } = await drip(app, key);
    await expect.poll(() => clock.sleepers).toBe(1);
    socket.destroy();
    await expect.poll(() => reasons).toHaveLength(time);
  }
  expect(reasons).toEqual(['aborted', 'aborted', 'aborted', 'aborted', 'aborted']);
  await expect.poll(() => said('debug')).toHaveLength(5);
  for (const line of said('debug')) {
    expect(line).toMatchObject({ level: 'debug', message: 'the client went away before its answer' });
  }
});

it('is one warning in a while of all that are refused for now, without a stack of the library', async () => {
  const ask = () => requestTo(app).get('/v1/costs').set('authorization', `Bearer ${key}`);
  for (let time = 0; time < 10; time += 1) expect((await ask()).statusCode).toBe(503);
  const places = [limits.tryToEnter(), limits.tryToEnter(), limits.tryToEnter()];
  for (let time = 0; time < 10; time += 1) expect((await ask()).statusCode).toBe(503);
  for (const leave of places) leave?.();
  clock.advance(10_000);
  await ask();
  expect(said('warn').map(({ level, message, suppressed }) => [level, message, suppressed])).toEqual([
    ['warn', 'a request failed for now', 0],
    ['warn', 'request failed', 0],
    ['warn', 'a request failed for now', 9],
    ['warn', 'request failed', 19],
  ]);
  expect(lines.text).not.toContain('pino-http');
});
