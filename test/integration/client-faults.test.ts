import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  type ClientClock,
  MillraceClient,
  type MillraceClientError,
  type RequestEvent,
} from '../../src/client.ts';
import { CuttingProxy } from '../support/cutting-proxy.ts';
import { newHostDirectory } from '../support/migrated-columns.ts';
import { openStoryHost, type StoryHost, WrittenModel } from '../support/story-host.ts';

/* The client library when networks break, hosts restart, and servers have no room. */

const origin = { customer: 'acme', feature: 'tales' };
const apiKeyOf = (host: StoryHost): Promise<string> =>
  host.newKey(['requests:read', 'requests:write'], { team: 'blue' });

/** A clock without waiting: pauses are over at once, and noted. Time-outs, which are longer, come only when a test says so. */
class HurriedClock implements ClientClock {
  readonly pausesMs: number[] = [];
  readonly #timeouts = new Set<() => void>();

  nowMs(): number {
    return Date.now();
  }

  startTimer(delayMs: number, onEnd: () => void): () => void {
    if (delayMs >= 30_000) {
      this.#timeouts.add(onEnd);
      return () => void this.#timeouts.delete(onEnd);
    }
    this.pausesMs.push(delayMs);
    const turn = setImmediate(onEnd);
    return () => clearImmediate(turn);
  }

  /** The time of all time-outs is over. */
  timeOut(): void {
    for (const onEnd of this.#timeouts) onEnd();
  }
}

const errorOf = async (work: Promise<unknown>): Promise<MillraceClientError> =>
  await work.then(
    () => {
      throw new Error('it succeeded');
    },
    (error: unknown) => error as MillraceClientError,
  );

async function collect(events: AsyncIterable<RequestEvent>): Promise<RequestEvent[]> {
  const all: RequestEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

describe('a stream', () => {
  let running: StoryHost;
  let apiKey: string;
  beforeAll(async () => {
    running = await openStoryHost();
    apiKey = await apiKeyOf(running);
  });
  afterAll(() => running.close());

  async function submitStory(millrace: MillraceClient) {
    const before = running.model.answers.length;
    const { id } = await millrace.submit('stories', { about: 'a cut' }, { origin });
    await expect.poll(() => running.model.answers.length).toBe(before + 1);
    const answer = running.model.answers.at(-1);
    if (answer === undefined) throw new Error('it was asked for');
    return { id, answer };
  }

  it('that is cut again and again brings each event once and in order', async () => {
    await using proxy = await CuttingProxy.open(running.url);
    const clock = new HurriedClock();
    const direct = new MillraceClient({ baseUrl: running.url, apiKey });
    const cut = new MillraceClient({ baseUrl: proxy.url, apiKey, clock });
    const { id, answer } = await submitStory(direct);
    const seen: RequestEvent[] = [];
    const whole = collect(direct.stream(id));
    const followed = (async () => {
      for await (const event of cut.stream(id)) seen.push(event);
    })();
    const words = Array.from({ length: 30 }, (_, at) => `word${at} `);
    for (const [at, word] of words.entries()) {
      answer.write(word);
      await expect.poll(() => textOf(seen)).toBe(words.slice(0, at + 1).join(''));
      if (at % 3 === 0) proxy.cut();
    }
    answer.finish();
    await followed;
    expect(proxy.connections).toBeGreaterThan(10);
    // Each reader is told of its request's acceptance as it stood when it came.
    expect(seen.slice(1)).toEqual((await whole).slice(1));
    // In the middle of events too, and of their characters.
    for (const bytes of [1500, 2400, 3333]) {
      proxy.cutAfterBytes = bytes;
      expect((await collect(cut.stream(id))).slice(1)).toEqual(seen.slice(1));
    }
    expect(seen.map(({ kind }) => kind)).not.toContain('events-lost');
  });

  it('that falls silent is made again', async () => {
    await using proxy = await CuttingProxy.open(running.url);
    const clock = new HurriedClock();
    const direct = new MillraceClient({ baseUrl: running.url, apiKey });
    const { id, answer } = await submitStory(direct);
    const seen: RequestEvent[] = [];
    const followed = (async () => {
      for await (const event of new MillraceClient({ baseUrl: proxy.url, apiKey, clock }).stream(id))
        seen.push(event);
    })();
    answer.write('Here.');
    await expect.poll(() => textOf(seen)).toBe('Here.');
    proxy.isSilent = true;
    answer.write(' Gone?');
    answer.finish();
    await direct.wait(id);
    proxy.isSilent = false;
    expect(textOf(seen)).toBe('Here.');
    clock.timeOut();
    await followed;
    expect(textOf(seen)).toBe('Here. Gone?');
    expect(seen.at(-1)?.kind).toBe('completed');
  });

  it('gives up when nothing comes any more, after a bounded number of tries', async () => {
    const proxy = await CuttingProxy.open(running.url);
    const clock = new HurriedClock();
    const { url } = proxy;
    await proxy[Symbol.asyncDispose]();
    const millrace = new MillraceClient({ baseUrl: url, apiKey, clock, maxReconnects: 4 });
    const id = '00000000-0000-4000-8000-000000000000';
    expect(await errorOf(collect(millrace.stream(id)))).toMatchObject({
      code: 'CLIENT_NETWORK',
      retryable: true,
    });
    expect(clock.pausesMs).toHaveLength(4);
    expect(await errorOf(millrace.get(id))).toMatchObject({ code: 'CLIENT_NETWORK' });
    expect(clock.pausesMs).toHaveLength(4 + 5);
  });
});

describe('a host that restarts in mid-stream', () => {
  it('goes on where it was, or says that the attempt restarted', async () => {
    const dataDirectory = await newHostDirectory('mr-restarted-');
    onTestFinished(() => rm(dataDirectory, { recursive: true, force: true }));
    const model = new WrittenModel();
    const first = await openStoryHost({ dataDirectory }, { model });
    const apiKey = await apiKeyOf(first);
    const port = Number(new URL(first.url).port);
    // Pauses of the machine's clock: the client must not give up before the host is there again.
    const millrace = new MillraceClient({
      baseUrl: first.url,
      apiKey,
      maxReconnects: 1000,
      retry: { maxRetries: 1000 },
    });
    const { id } = await millrace.submit('stories', { about: 'a restart' }, { origin });
    const seen: RequestEvent[] = [];
    const followed = (async () => {
      for await (const event of millrace.stream(id)) seen.push(event);
    })();
    const text = millrace.text(id);
    const result = millrace.result(id);
    await expect.poll(() => model.answers.length).toBe(1);
    model.answers[0]?.write('Half of');
    await expect.poll(() => textOf(seen)).toBe('Half of');
    await first.close();
    const second = await openStoryHost({ dataDirectory, http: { port } }, { model });
    onTestFinished(() => second.close());
    await expect.poll(() => model.answers.length).toBe(2);
    model.answers[1]?.write('All of it.');
    model.answers[1]?.finish();
    await followed;
    const kinds = seen.map(({ kind }) => kind);
    const ids = seen.map((event) => event.id);
    expect(ids).toEqual(ids.toSorted((one, other) => one - other));
    expect(kinds.filter((kind) => kind === 'accepted' || kind === 'completed')).toEqual([
      'accepted',
      'completed',
    ]);
    expect(textOf(seen.slice(kinds.indexOf('attempt-restarted')))).toBe('All of it.');
    expect(await text).toBe('All of it.');
    expect(await result).toEqual({ text: 'All of it.' });
  });
});

describe('a server that answers', () => {
  type Answer = (request: IncomingMessage, response: ServerResponse) => void;
  const problem =
    (status: number, parts: object, headers: Readonly<Record<string, string>> = {}): Answer =>
    (_request, response) => {
      response.writeHead(status, { 'content-type': 'application/problem+json', ...headers });
      response.end(
        JSON.stringify({ type: 'urn:millrace:error:X', title: 'no', code: 'X', status, todo: '', ...parts }),
      );
    };
  const page =
    (status: number, headers: Readonly<Record<string, string>> = {}, text = '<html>'): Answer =>
    (_request, response) => {
      response.writeHead(status, headers);
      response.end(text);
    };
  const accepted = page(202, {}, '{"id":"1","state":"queued"}');

  /** A server that gives its answers one after another, the last ever again. */
  async function serverOf(...answers: readonly Answer[]) {
    const asked: { readonly path: string | undefined; readonly key: unknown; readonly body: string }[] = [];
    const server = createServer((request, response) => {
      void (async () => {
        const body = (await request.toArray()).join('');
        asked.push({ path: request.url, key: request.headers['idempotency-key'], body });
        answers[Math.min(asked.length, answers.length) - 1]?.(request, response);
      })();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    });
    const clock = new HurriedClock();
    const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/behind/a/proxy`;
    return {
      asked,
      clock,
      millrace: new MillraceClient({ baseUrl, apiKey: 'k', clock, retry: { maxRetries: 3 } }),
    };
  }

  it('429 or 503 is asked again when it wants, with the same key and the same body', async () => {
    const { asked, clock, millrace } = await serverOf(
      problem(429, { retryable: true }, { 'retry-after': '7' }),
      problem(503, { retryable: true }, { 'retry-after': '3' }),
      page(502),
      accepted,
    );
    expect((await millrace.submit('p', { n: 1 })).id).toBe('1');
    const [one, two, three] = clock.pausesMs;
    expect(one).toBeGreaterThanOrEqual(7000);
    expect(two).toBeGreaterThanOrEqual(3000);
    expect(three).toBeLessThanOrEqual(1000);
    expect(asked).toHaveLength(4);
    expect(new Set(asked.map((ask) => JSON.stringify(ask))).size).toBe(1);
    expect(asked[0]).toMatchObject({
      path: '/behind/a/proxy/v1/pipelines/p/requests',
      body: '{"data":{"n":1}}',
    });
    expect(asked[0]?.key).toMatch(/^"[0-9a-f]{32}"$/);
  });

  it('that it has no room for hours is not waited for', async () => {
    const { asked, millrace } = await serverOf(problem(429, { retryable: true }, { 'retry-after': '7200' }));
    expect(await errorOf(millrace.list())).toMatchObject({
      code: 'X',
      status: 429,
      retryable: true,
      retryAfterMs: 7_200_000,
    });
    expect(asked).toHaveLength(1);
  });

  it('that nothing can help is not asked again, whatever the status', async () => {
    const { asked, millrace } = await serverOf(problem(429, { retryable: false, detail: 'over the budget' }));
    expect(await errorOf(millrace.submit('p', {}))).toMatchObject({
      message: 'over the budget',
      retryable: false,
    });
    expect(asked).toHaveLength(1);
  });

  it('503 without an end is asked a bounded number of times, also for a stream', async () => {
    const { asked, clock, millrace } = await serverOf(
      problem(503, { retryable: true }, { 'retry-after': '0' }),
    );
    expect(await errorOf(millrace.get('1'))).toMatchObject({ status: 503 });
    expect(asked).toHaveLength(4);
    const once30 = await errorOf(collect(millrace.stream('1')));
    expect(once30).toMatchObject({ status: 503 });
    expect(asked).toHaveLength(4 + 31);
    // Ever more slowly.
    expect(clock.pausesMs.at(-1)).toBeGreaterThan(5000);
  });

  it('what the API never answers is an error of its own', async () => {
    const redirecting = await serverOf(page(307, { location: 'http://127.0.0.1:1/' }));
    expect(await errorOf(redirecting.millrace.get('1'))).toMatchObject({
      code: 'CLIENT_HTTP',
      retryable: false,
    });
    expect(redirecting.asked).toHaveLength(1);
    for (const text of ['<html>', 'null', '[]', '{"id":1}']) {
      const odd = await serverOf(page(200, {}, text));
      expect(await errorOf(odd.millrace.get('1'))).toMatchObject({ code: 'CLIENT_ANSWER_INVALID' });
      expect(await errorOf(collect(odd.millrace.stream('1')))).toMatchObject({
        code: 'CLIENT_ANSWER_INVALID',
      });
    }
    const frames = await serverOf(
      page(
        200,
        { 'content-type': 'text/event-stream' },
        'id: 5\nevent: tomorrow\ndata: {}\n\nid: x\nevent: progress\ndata: {"kind":"progress"}\n\nid: 6\nevent: failed\ndata: {"kind":"failed"}\n\n',
      ),
    );
    expect(await collect(frames.millrace.stream('1'))).toEqual([{ id: 6, kind: 'failed' }]);
  });

  it('nothing at all is not waited for without an end', async () => {
    const { asked, clock, millrace } = await serverOf(() => undefined, accepted);
    const submitted = millrace.submit('p', {});
    await expect.poll(() => asked.length).toBe(1);
    clock.timeOut();
    expect((await submitted).id).toBe('1');
  });

  it('at once that it waits no longer is asked more slowly', async () => {
    const open = page(200, {}, '{"id":"1","state":"running"}');
    const { clock, millrace } = await serverOf(
      open,
      open,
      open,
      page(200, {}, '{"id":"1","state":"completed","result":7}'),
    );
    expect(await millrace.result<number>('1')).toBe(7);
    expect(clock.pausesMs).toEqual([500, 1000, 2000]);
  });
});

function textOf(events: readonly RequestEvent[]): string {
  return events.map((event) => (event.kind === 'text-delta' ? event.text : '')).join('');
}
