import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { processCpuMs, processTreeCpuMs } from '../../bench/process-cpu.ts';
import { findFailures, type Limits, type Period } from '../../bench/soak/verdict.ts';
import type { Measurement, Setup } from '../../bench/stage/measure.ts';
import { resultOf, type Series } from '../../bench/stage/report.ts';
import { packageRoot } from '../../src/kernel/package-root.ts';
import { canRun, postgresPrograms, redisPrograms } from '../support/required-programs.ts';
import { isFullDepth } from '../support/test-depth.ts';

/* That the benches measure what they say; what they find is never judged here. Those that take long run with full depth. */

const hasServers = [postgresPrograms(), redisPrograms()].every((programs) => canRun(programs));
const isLongRun = hasServers && isFullDepth;
const run = (bench: string, options: readonly string[]): Promise<{ readonly stdout: string }> =>
  promisify(execFile)(process.execPath, [join(packageRoot(), 'bench', bench), ...options]);
const runStage = (...options: readonly string[]): Promise<{ readonly stdout: string }> =>
  run('stage.ts', options);

const spreadSchema = z.object({ median: z.number(), least: z.number(), most: z.number() });
const documentSchema = z.object({
  results: z.array(
    z.object({
      name: z.string(),
      perSecond: spreadSchema,
      ofBullMq: spreadSchema,
      walBytes: spreadSchema,
      idleMs: z.object({ p50: z.number(), p99: z.number() }).optional(),
      rounds: z.array(z.object({ shares: z.array(z.number()) })),
    }),
  ),
});

const soakSchema = z.object({
  periods: z.array(
    z.object({
      memory: z.object({ rss: z.number(), native: z.number() }),
      reachable: z.number(),
      stores: z.object({ ledgerBytes: z.number(), usageBytes: z.number() }),
    }),
  ),
  stages: z.number(),
});

function seriesOf(setup: Pick<Setup, 'kind' | 'feed' | 'processes'>, rates: readonly number[]): Series {
  const rounds = rates.map((perSecond): Measurement => ({
    settings: '',
    perSecond,
    drainedPerSecond: perSecond,
    nodeMs: 1,
    postgresMs: 1,
    redisMs: 1,
    shares: [1],
    latenciesMs: [],
  }));
  return { setup: { name: setup.kind, ...setup }, rounds };
}

describe('bench/process-cpu.ts', () => {
  it('counts the children that have ended, and those of children where all below a process is asked for', async () => {
    const burn = 'const end = process.cpuUsage().user + 300_000; while (process.cpuUsage().user < end);';
    const beforeMs = processTreeCpuMs(process.pid);
    const parent = spawn('sh', ['-c', '"$0" -e "$1"; echo ended; read line', process.execPath, burn], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const exited = once(parent, 'exit');
    await once(parent.stdout, 'data');
    const usedMs = processCpuMs(parent.pid ?? -1);
    const belowMs = processTreeCpuMs(process.pid) - beforeMs;
    parent.stdin.end('\n');
    await exited;
    expect(usedMs).toBeGreaterThanOrEqual(300);
    expect(belowMs).toBeGreaterThanOrEqual(usedMs);
  });
});

const quiet: Period = {
  handledPerSecond: 100,
  memory: { rss: 100, mappedFiles: 10, heapTotal: 60, wasm: 10, arrayBuffers: 1, native: 19 },
  rssMost: 100,
  reachable: 50,
  stores: { ledgerBytes: 1000, usageBytes: 100, usageParts: 1 },
  lagMs: { p50: 1, p99: 20, max: 40 },
  backlog: 10,
};
const withRss = (rss: number): Period => ({ ...quiet, memory: { ...quiet.memory, rss } });
const limits: Limits = { flatAfter: 2, growth: 0.1, lagP99Ms: 50, targetPerSecond: 100 };

describe('bench/soak.ts', () => {
  it('passes memory that grows in the first periods, or a little after them', () => {
    const periods = [100, 50, 110, 105].map(withRss);
    expect(findFailures(periods, limits)).toEqual([]);
  });

  it('fails memory that grows further, a blocked event loop and a load that is not held', () => {
    const blocked: Period = { ...withRss(120), lagMs: { p50: 1, p99: 50, max: 90 }, backlog: 1001 };
    expect(findFailures([quiet, quiet, blocked], limits)).toEqual([
      'period 3: RSS is 20.0 % above the first 2 periods (at most 10 %)',
      'period 3: lag p99 is 50.0 ms (less than 50 ms)',
      'period 3: 1001 stages wait, more than 10 s of the load: the rate is not held',
    ]);
    const { lagP99Ms, ...withoutLag } = limits;
    expect(lagP99Ms).toBe(50);
    expect(findFailures([{ ...blocked, memory: quiet.memory, backlog: 0 }], withoutLag)).toEqual([]);
  });

  it.runIf(isLongRun)('holds a load and settles all of it once', { timeout: 240_000 }, async () => {
    // A busy machine blocks loops and lets a load wait, so only the sums are looked at.
    const sizes = ['--minutes', '2', '--period', '1', '--full', '3', '--load', '0.2', '--growth', '10'];
    const { stdout } = await run('soak.ts', ['--mode', 'embedded', ...sizes, '--json']);
    const { periods, stages } = soakSchema.parse(JSON.parse(stdout));
    expect(periods).toHaveLength(2);
    for (const { memory, reachable, stores } of periods) {
      expect(memory.native).toBeGreaterThan(0);
      expect(reachable).toBeLessThan(memory.rss);
      expect(Math.min(reachable, stores.ledgerBytes, stores.usageBytes)).toBeGreaterThan(0);
    }
    expect(stages).toBeGreaterThan(0);
  });

  it('refuses what it does not know before it starts anything', async () => {
    await expect(run('soak.ts', ['--mode', 'cluster'])).rejects.toMatchObject({
      code: 2,
      stderr: '--mode is services or embedded\n',
    });
  });
});

describe('bench/stage.ts', () => {
  it('compares rates round by round, with the baseline and with BullMQ that is fed alike', () => {
    const base = seriesOf({ kind: 'bullmq', feed: 'own', processes: 1 }, [1000, 2000, 4000]);
    const backlog = seriesOf({ kind: 'bullmq', feed: 'backlog', processes: 1 }, [2000, 4000, 8000]);
    const stage = seriesOf({ kind: 'millrace-call', feed: 'backlog', processes: 1 }, [500, 1000, 1000]);
    const two = seriesOf({ kind: 'millrace-call', feed: 'backlog', processes: 2 }, [500, 1000, 1000]);
    const result = resultOf(stage, [base, backlog, stage]);
    expect(result.ofBullMq).toEqual({ median: 0.5, least: 0.25, most: 0.5 });
    expect(result.ofBullMqFedAlike).toEqual({ median: 0.25, least: 0.125, most: 0.25 });
    expect(resultOf(two, [base, backlog, two]).ofBullMqFedAlike).toBeUndefined();
  });

  it.runIf(isLongRun)('runs every queue and a backlog in two processes', { timeout: 240_000 }, async () => {
    const only = 'graphile-worker,pg-boss,millrace-noop:backlog:2,millrace-call';
    const sizes = ['--stages', '60', '--rounds', '1', '--latency', '2'];
    const { stdout } = await runStage(...sizes, '--only', only, '--json');
    const { results } = documentSchema.parse(JSON.parse(stdout));
    expect(results.map(({ name }) => name)).toEqual([
      'bullmq',
      'graphile-worker',
      'pg-boss',
      'millrace-noop:backlog:2',
      'millrace-call',
    ]);
    expect(results.map(({ idleMs }) => idleMs === undefined)).toEqual([false, false, false, true, false]);
    expect(results.map(({ walBytes }) => walBytes.median > 0)).toEqual([false, true, true, true, true]);
    expect(results.every(({ perSecond }) => perSecond.median > 0)).toBe(true);
    expect(results[3]?.rounds[0]?.shares).toHaveLength(2);
  });

  it('refuses what it does not know before it starts anything', async () => {
    await expect(runStage('--only', 'sidekiq')).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('sidekiq is none of bullmq, ') as string,
    });
  });
});

const batchesSchema = z.object({
  loop: z.object({ steps: z.object({ run: z.object({ wallMs: z.number(), nodeMs: z.number() }) }) }),
  millrace: z.object({
    steps: z.record(
      z.enum(['intake', 'run', 'export', 'output']),
      z.object({ wallMs: z.number(), nodeMs: z.number(), postgresMs: z.number() }),
    ),
    memory: z.array(z.object({ rssMost: z.number(), reachable: z.number() })),
  }),
  ratios: z.object({ wall: z.number(), node: z.number(), cpu: z.number() }),
});

describe('bench/batches.ts', () => {
  it.runIf(isLongRun)('runs a batch and the loop beside it', { timeout: 240_000 }, async () => {
    const sizes = [
      '--items',
      '60',
      '--warm-up',
      '10',
      '--chunk',
      '20',
      '--concurrency',
      '8',
      '--period',
      '1',
    ];
    const { stdout } = await run('batches.ts', [...sizes, '--json']);
    const { loop, millrace, ratios } = batchesSchema.parse(JSON.parse(stdout));
    for (const { wallMs } of [loop.steps.run, ...Object.values(millrace.steps)])
      expect(wallMs).toBeGreaterThan(0);
    expect(millrace.steps.run.postgresMs).toBeGreaterThan(0);
    expect(ratios.wall).toBeCloseTo(millrace.steps.run.wallMs / loop.steps.run.wallMs);
  });

  it('refuses what it does not know before it starts anything', async () => {
    await expect(run('batches.ts', ['--chunk', '501'])).rejects.toMatchObject({
      code: 2,
      stderr: '--chunk takes a whole number from 1 to 500\n',
    });
  });
});

describe('bench/spans.ts', () => {
  it('measures Millrace and both exporters of the SDK, with every span sent', async () => {
    const { stdout } = await run('spans.ts', ['--stages', '500', '--rounds', '1']);
    const figures = [...stdout.matchAll(/^(.+): ([\d.]+) \(.*µs of processor time a stage/gm)];
    expect(figures.map(([, name]) => name)).toEqual(['Millrace, JSON', 'SDK, JSON', 'SDK, protocol buffers']);
    for (const [, , microseconds] of figures) expect(Number(microseconds)).toBeGreaterThan(0);
  });
});

it('bench/metered-model.ts measures calls with and without metering', { timeout: 120_000 }, async () => {
  const { stdout } = await run('metered-model.ts', ['--calls', '20', '--rounds', '1']);
  for (const kind of ['doGenerate', 'generateText', 'streamText'])
    expect(stdout).toMatch(new RegExp(`^${kind} +bare [\\d.]+ .* µs +metered [\\d.]+ .* ratio`, 'm'));
});
