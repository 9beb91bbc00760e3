/*
 * Asks a running application whatever docs/openapi.json lets one ask, with good, odd and hostile values, and tells what
 * it answered: what was not declared, what was slow, how long /health/live took meanwhile, and whether memory came back.
 *
 *   npm run fuzz -- --requests 20000 --seed 1 --concurrency 16
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { packageRoot } from '../../src/kernel/package-root.ts';
import { SeededRandom } from '../chaos/seeded-random.ts';
import { answerFault, type OpenApi, OpenApiRequests } from './openapi-requests.ts';

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    concurrency: { type: 'string', default: '16' },
  },
});
const total = Number(values.requests);
const slowMs = 2_000;

const directory = mkdtempSync(join(tmpdir(), 'millrace-fuzz-'));
const host = spawn(process.execPath, [join(import.meta.dirname, 'fuzz-host.ts'), directory], {
  stdio: ['ignore', 'pipe', 'inherit'],
  cwd: packageRoot(),
});
try {
  const { url, keys } = await readyHost(host);
  const document = JSON.parse(readFileSync(join(packageRoot(), 'docs/openapi.json'), 'utf8')) as OpenApi;
  const requests = new OpenApiRequests(document, keys);
  await run(url, requests, Math.min(total, 2_000), 'warm-up');
  await pause(5_000);
  const rssBefore = rssMb(host);
  const probe = new Worker(join(import.meta.dirname, 'live-probe.ts'), { workerData: { url } });
  const found = await run(url, requests, total, values.seed);
  const rssPeak = rssMb(host);
  const told = once(probe, 'message') as Promise<[number[]]>;
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  probe.postMessage('end');
  const [live] = await told;
  await pause(10_000);
  const rssAfter = rssMb(host);
  report(found, live, [rssBefore, rssPeak, rssAfter]);
  if (found.faults.length > 0 || found.slow > 0) process.exitCode = 1;
} finally {
  host.kill('SIGTERM');
  if (host.exitCode === null) await once(host, 'exit');
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}

interface Found {
  readonly faults: string[];
  readonly statuses: Map<number, number>;
  slow: number;
  slowestMs: number;
}

async function run(url: string, requests: OpenApiRequests, count: number, seed: string): Promise<Found> {
  const found: Found = { faults: [], statuses: new Map(), slow: 0, slowestMs: 0 };
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

async function readyHost(
  child: ChildProcess,
): Promise<{ readonly url: string; readonly keys: [string, string] }> {
  if (child.stdout === null) throw new Error('the host has no output');
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('{"url"')) return JSON.parse(line) as { url: string; keys: [string, string] };
  }
  throw new Error('the host ended before it was ready');
}

function rssMb({ pid }: ChildProcess): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
}

function report({ faults, statuses, slow, slowestMs }: Found, live: number[], rss: readonly number[]): void {
  const sorted = live.toSorted((left, right) => left - right);
  const at = (share: number): string => (sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(1);
  const counts = [...statuses].toSorted(([left], [right]) => left - right);
  console.log(`answers: ${counts.map(([status, count]) => `${status}: ${count}`).join(', ')}`);
  console.log(
    `not declared: ${faults.length}; over ${slowMs} ms: ${slow}; slowest ${slowestMs.toFixed(0)} ms`,
  );
  console.log(
    `/health/live: ${live.length} times; median ${at(0.5)} ms, p99 ${at(0.99)} ms, slowest ${at(1)} ms; ` +
      `over 50 ms: ${live.filter((ms) => ms > 50).length}`,
  );
  const [before = 0, peak = 0, after = 0] = rss;
  console.log(
    `RSS: ${before.toFixed(0)} MB before, ${peak.toFixed(0)} at the end, ${after.toFixed(0)} after a pause`,
  );
  for (const fault of faults.slice(0, 20)) console.log(fault);
}
