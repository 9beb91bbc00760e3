import type { Server } from 'node:http';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  defaultRequestLimits,
  type RefusalReason,
  RequestLimits,
} from '../../src/host/http/request-limits.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { ManualClock } from '../../src/kernel/manual-clock.ts';
import { startApi } from './api-application.ts';
import { type ApiFixture, openApiFixture } from './api-fixture.ts';
import { drip } from './dripping-request.ts';
import { requestTo } from './request-to.ts';

/* What one key has of the API beside the others, and what is left of those who send slowly or go away. */

let fixture: ApiFixture;
let key: string;

beforeAll(async () => {
  fixture = await openApiFixture();
  key = await fixture.newKey(['admin']);
});

afterAll(() => fixture.close());

describe('what one key has of the API', () => {
  it('is a share of the requests at once for one key, however slowly it sends them, which leaves the others their room', async () => {
    const limits = new RequestLimits(
      { ...defaultRequestLimits, concurrentRequests: 20, concurrentRequestsPerKey: 3 },
      systemClock,
    );
    const reasons: RefusalReason[] = [];
    const limited = await startApi(fixture.services(), {
      limits,
      onRefused: (reason) => reasons.push(reason),
    });
    const other = await fixture.newKey(['admin']);
    const begun: Awaited<ReturnType<typeof drip>>[] = [];
    while (begun.length < 30) begun.push(await drip(limited, key));
    const refusals = await Promise.all(begun.slice(3).map(({ closed }) => closed));
    expect(refusals.filter((answer) => answer.includes('MILLRACE_RATE_LIMITED'))).toHaveLength(27);
    expect(refusals[0]).toMatch(/^HTTP\/1.1 429 [^]*retry-after: 1\r\n/);
    const ask = (holder: string) =>
      requestTo(limited).get('/v1/budgets').set('authorization', `Bearer ${holder}`);
    expect((await ask(key)).statusCode).toBe(429);
    expect((await ask(other)).statusCode).toBe(200);
    expect(reasons).toEqual(Array(28).fill('key_concurrency'));
    for (const { socket } of begun.slice(0, 3)) socket.destroy();
    // Their places are free again when the server has seen their end.
    await expect.poll(async () => (await ask(key)).statusCode).toBe(200);
    await limited.close();
  });

  it('is a share of the bytes at once for one key', () => {
    const limits = new RequestLimits(
      { ...defaultRequestLimits, bodyBytesInFlight: 1_000, bodyBytes: 100 },
      systemClock,
    );
    expect(limits.takeBytes(200, 'alpha')).toBeUndefined();
    expect(limits.takeBytes(1, 'alpha')).toMatchObject({
      reason: 'key_body_bytes',
      error: { code: 'MILLRACE_RATE_LIMITED' },
    });
    expect(limits.takeBytes(200, 'beta')).toBeUndefined();
    limits.giveBytes(200, 'alpha');
    expect(limits.takeBytes(200, 'alpha')).toBeUndefined();
    expect(limits.takeBytes(600, undefined)).toBeUndefined();
    expect(limits.takeBytes(1, 'gamma')).toMatchObject({ reason: 'body_bytes' });
  });

  it('is undivided where callers are not told apart', async () => {
    const limits = new RequestLimits({ ...defaultRequestLimits, concurrentRequestsPerKey: 1 }, systemClock);
    const open = await startApi(fixture.services({ authentication: 'none' }), { limits });
    const { socket } = await drip(open, key);
    const answer = await requestTo(open).get('/v1/budgets').set({ host: 'localhost' });
    expect(answer.statusCode).toBe(200);
    socket.destroy();
    await open.close();
  });

  it('is so much time for a body, which is answered 408 after it', async () => {
    const reasons: RefusalReason[] = [];
    const clock = new ManualClock();
    const limits = new RequestLimits(defaultRequestLimits, clock);
    const timed = await startApi(fixture.services(), {
      limits,
      onRefused: (reason) => reasons.push(reason),
    });
    const { closed, socket } = await drip(timed, key);
    await expect.poll(() => clock.sleepers).toBe(1);
    clock.advance(19_999);
    socket.write(' ');
    clock.advance(1);
    const answer = await closed;
    expect(answer).toContain('HTTP/1.1 408');
    expect(answer).toContain('MILLRACE_REQUEST_TIMEOUT');
    expect(answer.toLowerCase()).toContain('connection: close');
    expect(reasons).toEqual(['body_time']);
    await timed.close();
  });

  it('is not lost to requests whose clients go away before they are begun', async () => {
    const limits = new RequestLimits({ ...defaultRequestLimits, concurrentRequests: 1 }, systemClock);
    const waiting: (() => void)[] = [];
    Object.defineProperty(limits, 'turns', {
      value: { take: (begin: () => void) => waiting.push(begin) > 0 },
    });
    const busy = await startApi(fixture.services(), { limits });
    const { socket } = await drip(busy, key);
    await expect.poll(() => waiting).toHaveLength(1);
    const server: Server = busy.getHttpServer();
    socket.destroy();
    await expect.poll(() => promisify(server.getConnections.bind(server))()).toBe(0);
    for (const begin of waiting) begin();
    expect(limits.tryToEnter()).toBeDefined();
    await busy.close();
  });
});
