/*
 * Asks a running application whatever docs/openapi.json lets one ask, with good, odd and hostile values, and tells what
 * it answered: what was not declared, what was slow, how long its event loop was held and how much of that was its own
 * processor time, how long /health/live took meanwhile, and whether memory came back.
 *
 *   npm run fuzz -- --requests 20000 --seed 1 --concurrency 16 --stores embedded|servers [--profile DIRECTORY]
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { packageRoot } from '../../src/kernel/package-root.ts';
import { SeededRandom } from '../chaos/seeded-random.ts';
import { FuzzedHost, type HostMemory } from './fuzzed-host.ts';
import type { LoopReport } from './loop-stalls.ts';
import { answerFault, type OpenApi, OpenApiRequests } from './openapi-requests.ts';

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    concurrency: { type: 'string', default: '16' },
    stores: { type: 'string', default: 'embedded' },
    profile: { type: 'string' },
  },
});
const total = Number(values.requests);
const slowMs = 2_000;
const liveMs = 50;
const mostGrowth = 0.2;
/** How long memory may take to come back, and how often it is looked at. */
const settleMs = 30_000;
const lookMs = 1_000;

const host = await FuzzedHost.start({
  stores: values.stores === 'servers' ? 'servers' : 'embedded',
  ...(values.profile === undefined ? {} : { profileDirectory: values.profile }),
});
try {
  const document = JSON.parse(readFileSync(join(packageRoot(), 'docs/openapi.json'), 'utf8')) as OpenApi;
  const requests = new OpenApiRequests(document, host.keys);
  // A process grows until its caches, pools and compiled code are there: only growth after that says anything.
  await run(host.url, requests, Math.min(total, 4_000), 'warm-up');
  await pause(5_000);
  const { memory: before } = await host.report();
  const found = newFound();
  const live = await host.watchLive(() =>
    run(host.url, requests, total, values.seed, found).then(() => undefined),
  );
  const { loop, memory: atEnd } = await host.report();
  const after = await settled(before);
  const failures = report(found, live, loop, { before, atEnd, after });
  if (failures > 0) process.exitCode = 1;
} finally {
  await host.stop();
}

interface Found {
  readonly faults: string[];
  readonly statuses: Map<number, number>;
  slow: number;
  slowestMs: number;
}

function newFound(): Found {
  return { faults: [], statuses: new Map(), slow: 0, slowestMs: 0 };
}

async function run(
  url: string,
  requests: OpenApiRequests,
  count: number,
  seed: string,
  found = newFound(),
): Promise<Found> {
  let next = 0;
  const work = async (): Promise<void> => {
    for (let number = next++; number < count; number = next++) {
      await ask(url, requests, new SeededRandom(`${seed}/${number}`), found);
    }
  };
  await Promise.all(Array.from({ length: Number(values.concurrency) }, work));
  return found;
}

async function ask(
  base: string,
  requests: OpenApiRequests,
  random: SeededRandom,
  found: Found,
): Promise<void> {
  const { method, url, headers, body } = requests.next(random);
  const began = performance.now();
  let fault: string | undefined;
  try {
    const answer = await fetch(`${base}${url}`, {
      method,
      headers,
      redirect: 'manual',
      ...(body === undefined ? {} : { body }),
    });
    await answer.arrayBuffer();
    found.statuses.set(answer.status, (found.statuses.get(answer.status) ?? 0) + 1);
    fault = answerFault({
      status: answer.status,
      contentType: method === 'HEAD' ? '' : (answer.headers.get('content-type') ?? ''),
      retryAfter: answer.headers.get('retry-after') ?? undefined,
      url,
    });
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    fault = `no answer: ${String(cause)}`;
  }
  const tookMs = performance.now() - began;
  found.slowestMs = Math.max(found.slowestMs, tookMs);
  if (tookMs > slowMs) found.slow += 1;
  if (fault !== undefined)
    found.faults.push(`${fault} for ${method} ${url.slice(0, 200)} ${(body ?? '').slice(0, 200)}`);
}

/** The memory when it has come back, or when it had the time for that. */
async function settled(before: HostMemory): Promise<HostMemory> {
  const deadline = performance.now() + settleMs;
  for (;;) {
    await pause(lookMs);
    const { memory } = await host.report();
    if (memory.rss <= before.rss * (1 + mostGrowth / 2) || performance.now() > deadline) return memory;
  }
}

/** Prints what was found; answers how many lines of the requirement are not met. */
function report(
  { faults, statuses, slow, slowestMs }: Found,
  live: readonly number[],
  { longestMs, longestCpuMs, stalls }: LoopReport,
  { before, atEnd, after }: Readonly<Record<'before' | 'atEnd' | 'after', HostMemory>>,
): number {
  const sorted = live.toSorted((left, right) => left - right);
  const at = (share: number): string => (sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(1);
  const counts = [...statuses].toSorted(([left], [right]) => left - right);
  const ownStalls = stalls.filter(({ cpuMs }) => cpuMs > liveMs);
  const growth = after.rss / before.rss - 1;
  console.log(`answers: ${counts.map(([status, count]) => `${status}: ${count}`).join(', ')}`);
  console.log(
    `not declared: ${faults.length}; over ${slowMs} ms: ${slow}; slowest ${slowestMs.toFixed(0)} ms`,
  );
  console.log(
    `event loop: held ${longestMs.toFixed(0)} ms at most, ${longestCpuMs.toFixed(0)} ms of its own processor time; ` +
      `over ${liveMs} ms: ${stalls.length}, by its own time: ${ownStalls.length}`,
  );
  console.log(
    `/health/live: ${live.length} times; median ${at(0.5)} ms, p99 ${at(0.99)} ms, slowest ${at(1)} ms; ` +
      `over ${liveMs} ms: ${live.filter((ms) => ms > liveMs).length}`,
  );
  console.log(
    `RSS: ${inMb(before.rss)} MB before, ${inMb(atEnd.rss)} at the end, ${inMb(after.rss)} after a pause (${(growth * 100).toFixed(0)} %); ` +
      `heap ${inMb(before.heapUsed)}, ${inMb(atEnd.heapUsed)}, ${inMb(after.heapUsed)}`,
  );
  for (const { atMs, tookMs, cpuMs } of stalls.slice(0, 10))
    console.log(`held at ${atMs.toFixed(0)} ms for ${tookMs.toFixed(0)} ms, own ${cpuMs.toFixed(0)} ms`);
  for (const fault of faults.slice(0, 20)) console.log(fault);
  return faults.length + slow + ownStalls.length + (growth > mostGrowth ? 1 : 0);
}

function inMb(bytes: number): string {
  return (bytes / 1_048_576).toFixed(0);
}
