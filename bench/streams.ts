/*
 * What the events of requests add to a stream, and how many streams one process holds. `--help` says what is measured.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { createServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { packageRoot } from '../src/kernel/package-root.ts';
import { benchOptions } from './bench-options.ts';
import { BenchStores } from './stage/bench-stores.ts';
import { median, percentile } from './statistics.ts';
import type { StreamOrder } from '../test/support/story-host-process.ts';

const help = `node bench/streams.ts [options]

A host in a process of its own works on requests whose stage streams what a model in that process writes. Clients in this process read
the events of the requests as Server-Sent Events.

Needs "npm run build". First, what a piece of text takes from the model to the client: a piece for each stream, again and again; beside it the same pieces
from a bare HTTP server in this process, which writes them to its clients. Printed: median and p99 in milliseconds of both, and what the
host adds to the p99.

Then many streams: the memory of the host's process (RSS) before they are opened and with all of them open, how long opening took, and how long until
every one has got a piece that was written at once.

  --mode MODE      services (default): PostgreSQL and Redis in processes of their own. embedded: everything in the process
  --readers N      20; streams of the first part
  --pieces N       200; pieces for each of them
  --pause MS       20; between two pieces
  --streams N      10000; streams of the second part
  --requests N     100; requests that these belong to
  --json           one JSON document on standard output
  --help
`;

const flags = benchOptions(help, {
  mode: { type: 'string', default: 'services' },
  readers: { type: 'string', default: '20' },
  pieces: { type: 'string', default: '200' },
  pause: { type: 'string', default: '20' },
  streams: { type: 'string', default: '10000' },
  requests: { type: 'string', default: '100' },
  json: { type: 'boolean', default: false },
});

const stamp = /<(\d+(?:\.\d+)?)>/g;

/** A client that reads a stream over a bare socket, so that many cost little. */
class StreamClient {
  readonly delaysMs: number[] = [];
  #rest = '';
  readonly #socket: Socket;

  constructor(url: URL, path: string, onPiece: () => void) {
    this.#socket = connect(Number(url.port), url.hostname);
    this.#socket.setNoDelay(true);
    this.#socket.write(`GET ${path} HTTP/1.1\r\nhost: ${url.host}\r\naccept: text/event-stream\r\n\r\n`);
    this.#socket.on('data', (bytes: Buffer) => {
      const nowMs = performance.timeOrigin + performance.now();
      const text = this.#rest + bytes.toString('latin1');
      let end = 0;
      for (const found of text.matchAll(stamp)) {
        this.delaysMs.push(nowMs - Number(found[1]));
        end = found.index + found[0].length;
        onPiece();
      }
      this.#rest = text.slice(Math.max(end, text.length - 64));
    });
    this.#socket.on('error', () => undefined);
  }

  close(): void {
    this.#socket.destroy();
  }
}

class StreamHost {
  readonly #child: ChildProcess;
  readonly url: URL;

  private constructor(child: ChildProcess, url: URL) {
    this.#child = child;
    this.url = url;
  }

  static async start(urls: readonly string[]): Promise<StreamHost> {
    const child = fork(join(packageRoot(), 'dist', 'test', 'support', 'story-host-process.js'), [...urls]);
    const { url } = await told<{ url: string }>(child);
    return new StreamHost(child, new URL(url));
  }

  async ask<Answer>(order: StreamOrder): Promise<Answer> {
    const answer = told<Answer>(this.#child);
    this.#child.send(order);
    return await answer;
  }

  async submit(count: number): Promise<readonly string[]> {
    const ids: string[] = [];
    for (let n = 0; n < count; n += 1) {
      const response = await fetch(new URL('/v1/pipelines/stories/requests', this.url), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          data: { about: `bench ${n}` },
          origin: { team: 'bench', customer: 'c', feature: 'f' },
        }),
      });
      ids.push(((await response.json()) as { id: string }).id);
    }
    return ids;
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.send('close');
    await ended;
  }
}

function told<Answer>(child: ChildProcess): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const onExit = (): void => reject(new Error('the host has ended'));
    child.once('exit', onExit);
    child.once('message', (answer) => {
      child.off('exit', onExit);
      resolve(answer as Answer);
    });
  });
}

async function until(isSo: () => boolean, limitMs = 120_000): Promise<void> {
  const untilMs = performance.now() + limitMs;
  while (!isSo()) {
    if (performance.now() > untilMs) throw new Error('it takes too long');
    await sleep(2);
  }
}

/** The same pieces from a server that only writes them. */
async function bare(readers: number, pieces: number, pauseMs: number): Promise<readonly number[]> {
  const open = new Set<(text: string) => void>();
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.flushHeaders();
    open.add((text) => response.write(`data: ${text}\n\n`));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const clients = Array.from({ length: readers }, () => new StreamClient(url, '/', () => undefined));
  await until(() => open.size === readers);
  for (let n = 0; n < pieces; n += 1) {
    for (const write of open) write(`<${performance.timeOrigin + performance.now()}>`);
    await sleep(pauseMs);
  }
  await until(() => clients.every(({ delaysMs }) => delaysMs.length === pieces));
  for (const client of clients) client.close();
  server.closeAllConnections();
  server.close();
  return clients.flatMap(({ delaysMs }) => delaysMs);
}

async function delays(
  host: StreamHost,
  readers: number,
  pieces: number,
  pauseMs: number,
): Promise<readonly number[]> {
  const ids = await host.submit(readers);
  const clients = ids.map((id) => new StreamClient(host.url, `/v1/requests/${id}/events`, () => undefined));
  await untilWorking(host, readers);
  for (let n = 0; n < pieces; n += 1) {
    await host.ask('write');
    await sleep(pauseMs);
  }
  await until(() => clients.every(({ delaysMs }) => delaysMs.length >= pieces));
  await host.ask('finish');
  for (const client of clients) client.close();
  // The first pieces find code that was never run.
  return clients.flatMap(({ delaysMs }) => delaysMs.slice(Math.ceil(pieces / 10)));
}

/** Every request has come to its model. */
async function untilWorking(host: StreamHost, requests: number): Promise<void> {
  for (;;) {
    const { written } = await host.ask<{ written: number }>('write');
    if (written >= requests) return;
    await sleep(50);
  }
}

async function many(host: StreamHost, streams: number, requests: number) {
  const ids = await host.submit(requests);
  await untilWorking(host, requests);
  const before = await host.ask<{ rss: number }>('memory');
  let got = 0;
  const beganMs = performance.now();
  const clients: StreamClient[] = [];
  const onPiece = (): void => {
    got += 1;
  };
  for (let n = 0; n < streams; n += 1) {
    clients.push(new StreamClient(host.url, `/v1/requests/${ids[n % requests]}/events`, onPiece));
    // Every one gets what was written before it came.
    if (n % 100 === 99) await until(() => clients.every(({ delaysMs }) => delaysMs.length > 0));
  }
  await until(() => clients.every(({ delaysMs }) => delaysMs.length > 0));
  const openSeconds = (performance.now() - beganMs) / 1000;
  const open = await host.ask<{ rss: number }>('memory');
  got = 0;
  const writtenMs = performance.now();
  await host.ask('write');
  await until(() => got >= streams);
  const allSeconds = (performance.now() - writtenMs) / 1000;
  await host.ask('finish');
  for (const client of clients) client.close();
  const megabyte = 1_048_576;
  return {
    streams,
    openSeconds,
    allSeconds,
    rssBeforeMb: before.rss / megabyte,
    rssOpenMb: open.rss / megabyte,
  };
}

const number = (name: 'readers' | 'pieces' | 'pause' | 'streams' | 'requests'): number => Number(flags[name]);
const stores = flags.mode === 'services' ? await BenchStores.start({ isEmbedded: false }) : undefined;
const postgres = await stores?.database('streams');
const host = await StreamHost.start(
  stores === undefined || postgres === undefined ? [] : [postgres, stores.redis.url],
);
try {
  const plain = await bare(number('readers'), number('pieces'), number('pause'));
  const streamed = await delays(host, number('readers'), number('pieces'), number('pause'));
  const crowd = await many(host, number('streams'), number('requests'));
  const result = {
    mode: flags.mode,
    load: loadavg()[0],
    bareMs: { median: median(plain), p99: percentile(plain, 0.99) },
    streamedMs: { median: median(streamed), p99: percentile(streamed, 0.99) },
    addedP99Ms: percentile(streamed, 0.99) - percentile(plain, 0.99),
    crowd,
  };
  if (flags.json) console.log(JSON.stringify(result));
  else console.log(result);
} finally {
  await host.close();
  await stores?.stop();
}
