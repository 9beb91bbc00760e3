import { Agent, request } from 'node:http';
import { FuzzedHost } from '../test/fuzz/fuzzed-host.ts';
import { benchOptions } from './bench-options.ts';
import { percentile } from './statistics.ts';
import { worstBodies } from './worst-bodies.ts';

const help = `npm run build && node bench/door.ts [--stores embedded|servers] [--parallel 2000] [--only bodies|requests] [--case TEXT] [--profile DIRECTORY]

What a host takes that is asked too much: bodies that are as hard to read as the limits let them be, at every route
and in every form, and thousands of requests at once. Prints how long the event loop was held in all and by its own
processor time, how long /health/live took meanwhile, and what was answered.
`;

const flags = benchOptions(help, {
  stores: { type: 'string', default: 'embedded' },
  parallel: { type: 'string', default: '2000' },
  only: { type: 'string' },
  case: { type: 'string', default: '' },
  profile: { type: 'string' },
});
const parallel = Number(flags.parallel);

/** The limits of a host that is configured with nothing. */
const bodyBytes = 16_777_216;
const eventBounds = { bytes: 4_194_304 - 300, values: 99_950, keys: 19_950 };
const orderBounds = { ...eventBounds, bytes: 262_144 };
const maxEvents = 1_000;

const agent = new Agent({ keepAlive: false, maxSockets: Infinity });
const host = await FuzzedHost.start({
  stores: flags.stores === 'servers' ? 'servers' : 'embedded',
  ...(flags.profile === undefined ? {} : { profileDirectory: flags.profile }),
});
const [key] = host.keys;

interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly tookMs: number;
}

try {
  await ask('/v1/costs');
  await measure('(at rest)', async () => [await ask('/health/live')]);
  if (flags.only !== 'requests') await measureBodies();
  if (flags.only !== 'bodies') await measureRequests();
} finally {
  agent.destroy();
  await host.stop();
}

async function measureBodies(): Promise<void> {
  for (const worst of worstBodies) {
    const { name } = worst;
    if (!name.includes(flags.case)) continue;
    const data = worst.make(eventBounds);
    const plain = `{"type":"triage","origin":{"team":"t","customer":"c","feature":"f"},"data":${data}}`;
    const event = (id: string): string =>
      `{"specversion":"1.0","id":"${id}","source":"s","type":"triage","originteam":"t","origincustomer":"c","originfeature":"f","data":${data}}`;
    const size = Buffer.byteLength(event('1000')) + 1;
    const events = Array.from({ length: Math.min(maxEvents, Math.floor(bodyBytes / size)) }, (_, index) =>
      event(`${name} ${index}`),
    );
    const batch = 'application/cloudevents-batch+json';
    const forms: readonly (readonly [string, string, string, string])[] = [
      ['message', '/v1/messages', 'application/json', plain],
      ['event', '/v1/messages', 'application/cloudevents+json', event(name)],
      [`batch of ${events.length}`, '/v1/messages', batch, `[${events.join(',')}]`],
      ['order', '/v1/dead-letters/discard', 'application/json', worst.make(orderBounds)],
    ];
    for (const [form, path, type, body] of forms) {
      await measure(`${name}, ${form}`, async () => [await ask(path, { type, body })]);
    }
  }
}

async function measureRequests(): Promise<void> {
  for (const path of ['/v1/costs?group_by=team,customer,feature', '/metrics', '/v1/messages', '/v1/status']) {
    if (!path.includes(flags.case)) continue;
    await measure(`${parallel} times ${path}`, () =>
      Promise.all(Array.from({ length: parallel }, () => ask(path))),
    );
  }
}

async function measure(name: string, work: () => Promise<readonly Answer[]>): Promise<void> {
  await host.report();
  let answers: readonly Answer[] = [];
  const live = await host.watchLive(async () => {
    answers = await work();
  });
  const { loop, memory } = await host.report();
  const statuses = new Map<number, number>();
  for (const { status } of answers) statuses.set(status, (statuses.get(status) ?? 0) + 1);
  const silent = answers.filter(
    ({ status, retryAfter }) => (status === 429 || status === 503) && retryAfter === undefined,
  );
  const slowest = Math.max(0, ...answers.map(({ tookMs }) => tookMs));
  const told = [...statuses].map(([status, count]) =>
    answers.length === 1 ? status : `${status}: ${count}`,
  );
  console.log(
    `${name.padEnd(52)} own ${loop.longestCpuMs.toFixed(0).padStart(4)} ms, held ${loop.longestMs.toFixed(0).padStart(4)} ms, ` +
      `live ${percentile(live, 1).toFixed(0).padStart(4)} ms, answered in ${slowest.toFixed(0)} ms (${told.join(', ')}), ` +
      `RSS ${(memory.rss / 1_048_576).toFixed(0)} MB${silent.length === 0 ? '' : `, ${silent.length} without Retry-After`}`,
  );
}

/** Asks by a connection of its own; status 0 is none. */
function ask(path: string, sent?: { readonly type: string; readonly body: string }): Promise<Answer> {
  const began = performance.now();
  return new Promise((resolve) => {
    const answered = (status: number, retryAfter: string | undefined): void =>
      resolve({ status, retryAfter, tookMs: performance.now() - began });
    const body = sent === undefined ? undefined : Buffer.from(sent.body);
    const outgoing = request(
      `${host.url}${path}`,
      {
        agent,
        method: sent === undefined ? 'GET' : 'POST',
        headers: {
          authorization: `Bearer ${key}`,
          ...(sent === undefined || body === undefined
            ? {}
            : { 'content-type': sent.type, 'content-length': body.length }),
        },
      },
      (response) => {
        response.resume();
        response.once('close', () => answered(response.statusCode ?? 0, response.headers['retry-after']));
      },
    );
    outgoing.once('error', () => answered(0, undefined));
    outgoing.end(body);
  });
}
