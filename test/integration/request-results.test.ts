import { type ClientRequest, get as httpGet, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ResultRoom } from '../../src/capabilities/requests/state/result-room.ts';
import { MessageBodies } from '../../src/engine/pipeline/message-bodies.ts';
import { EventReader } from '../support/event-reader.ts';
import { openStoryHost, type StoryHost } from '../support/story-host.ts';
import { requestTo } from './request-to.ts';

/* How much of large results is read and held, on an embedded host, whatever its clients do. */

const textBytes = 9_000_000;

let running: StoryHost;
let headers: Record<string, string>;
let large: string;
const readBodies = vi.spyOn(MessageBodies.prototype, 'read');

beforeAll(async () => {
  running = await openStoryHost({
    requests: { resultBytes: 10_000_000, resultBytesInFlight: 20_000_000 },
  });
  const key = await running.newKey(['requests:read', 'requests:write'], { team: 'blue' });
  headers = { authorization: `Bearer ${key}` };
  large = await told('large.', 'x'.repeat(textBytes));
});
beforeEach(() => {
  readBodies.mockClear();
});
afterAll(() => running.close());

const urlOf = (id: string): string => `${running.url}/v1/requests/${id}`;
const room = (): ResultRoom => running.host.service(ResultRoom);

async function told(about: string, text: string): Promise<string> {
  const {
    body,
    status,
    text: said,
  } = await requestTo(running.url)
    .post('/v1/pipelines/stories/requests')
    .set(headers)
    .send({ data: { about }, origin: { customer: 'acme', feature: 'tales' } });
  expect(status, said).toBe(202);
  const answer = await vi.waitFor(() => {
    const asked = running.model.about(about);
    if (asked === undefined) throw new Error('the model is not asked yet');
    return asked;
  }, 60_000);
  answer.write(text);
  answer.finish();
  const { id } = body as { id: string };
  await vi.waitFor(async () => {
    const { state } = (await (await fetch(urlOf(id), { headers })).json()) as { state: string };
    if (state !== 'completed') throw new Error(`it is ${state}`);
  }, 60_000);
  return id;
}

/** An answer of which nothing is read. */
async function unread(id: string): Promise<{ readonly request: ClientRequest; readonly status: number }> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = httpGet(urlOf(id), { headers }, resolve).once('error', reject);
  return { request, status: (await promise).statusCode ?? 0 };
}

describe('large results', () => {
  it('are not read for streams that say where they are', async () => {
    const readers = Array.from({ length: 20 }, () => new EventReader(`${urlOf(large)}/events`, headers));
    await Promise.all(readers.map((reader) => reader.ended));
    for (const { events } of readers)
      expect(events.at(-1)?.data).toMatchObject({
        kind: 'completed',
        request: { id: large, resultAt: `/v1/requests/${large}` },
      });
    expect(readBodies).not.toHaveBeenCalled();
    expect(room().bytes).toBe(0);
  });

  it('are not read for a stream token', async () => {
    expect((await fetch(`${urlOf(large)}/stream-token`, { method: 'POST', headers })).status).toBe(200);
    expect(readBodies).not.toHaveBeenCalled();
  });

  it('have room while they are sent, a bounded one, which is free again when their readers are gone', async () => {
    const first = await unread(large);
    expect(first.status).toBe(200);
    expect(room().bytes).toBeGreaterThan(textBytes);
    const refused = await fetch(urlOf(large), { headers });
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('1');
    const other = { authorization: `Bearer ${await running.newKey(['requests:read'], { team: 'blue' })}` };
    const { request: second } = await new Promise<{ request: ClientRequest }>((resolve, reject) => {
      const request = httpGet(urlOf(large), { headers: other }, () => resolve({ request }));
      request.once('error', reject);
    });
    const third = { authorization: `Bearer ${await running.newKey(['requests:read'], { team: 'blue' })}` };
    expect(await (await fetch(urlOf(large), { headers: third })).json()).toMatchObject({
      code: 'MILLRACE_OVERLOADED',
    });
    expect(readBodies).toHaveBeenCalledTimes(2);
    first.request.destroy();
    second.destroy();
    await expect.poll(() => room().bytes).toBe(0);
    expect((await fetch(urlOf(large), { headers })).status).toBe(200);
  });

  it('stand in the final event where they are small, and are held until the stream is closed', async () => {
    const small = await told('small.', 'Once.');
    readBodies.mockClear();
    const reader = new EventReader(`${urlOf(small)}/events`, headers);
    await reader.ended;
    expect(reader.events.at(-1)?.data).toMatchObject({ request: { result: { text: 'Once.' } } });
    expect(readBodies).toHaveBeenCalledTimes(1);
    await expect.poll(() => room().bytes).toBe(0);
  });
});

it('says of a request that runs by the end of the wait that it does', async () => {
  const { body, status } = await requestTo(running.url)
    .post('/v1/pipelines/stories/requests')
    .set({ ...headers, prefer: 'wait=5' })
    .send({ data: { about: 'waited.' }, origin: { customer: 'acme', feature: 'tales' } });
  expect([status, (body as { state: string }).state]).toEqual([202, 'running']);
  running.model.about('waited.')?.finish();
});
