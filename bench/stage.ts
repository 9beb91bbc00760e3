/*
 * Full stages a second: lease, one metered call to a model in this process, finish with one emission that wakes the
 * next stage, usage exported to ClickHouse. Beside it, in the same run and on the same Redis, BullMQ alone doing
 * nothing. And the time from admission to the handler on an idle system.
 *
 *   node bench/stage.ts [--stores services|embedded] [--stages 20000] [--concurrency 800] [--rounds 3]
 *     [--tracing off|on|both]
 *
 * `--tracing both` compares spans and metrics with none of them, in turn, on the same stores.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { generateText } from 'ai';
import { Queue, Worker } from 'bullmq';
import { z } from 'zod';
import { Host } from '../src/app/host.ts';
import { loadConfiguration } from '../src/app/load-configuration.ts';
import { Millrace } from '../src/app/millrace.ts';
import { defineMessage } from '../src/messages/message-type.ts';
import type { Message } from '../src/messages/message.ts';
import { defineStage } from '../src/pipeline/stage-definition.ts';
import type { StageContext } from '../src/pipeline/stage-context.ts';
import { ScriptedModel } from '../src/models/scripted-model.ts';
import type { MillraceMetrics } from '../src/telemetry/metrics.ts';
import { silentLogger } from '../src/telemetry/silent-logger.ts';
import { PostgresServer } from '../test/support/postgres-server.ts';
import { RedisServer } from '../test/support/redis-server.ts';
import { processCpuMs } from './process-cpu.ts';
import { startOtlpSink } from './otlp-sink.ts';
import { silentMetrics } from './silent-metrics.ts';
import { median, percentile } from './statistics.ts';

const { values: flags } = parseArgs({
  options: {
    stores: { type: 'string', default: 'services' },
    stages: { type: 'string', default: '20000' },
    concurrency: { type: 'string', default: '800' },
    rounds: { type: 'string', default: '3' },
    hops: { type: 'string', default: '10' },
    tracing: { type: 'string', default: 'off' },
  },
});
const stages = Number(flags.stages);
const concurrency = Number(flags.concurrency);
const hops = Number(flags.hops);

const Tick = defineMessage('tick').version(1, z.object({ left: z.number(), text: z.string() }));
const Done = defineMessage('done').version(1, z.object({ text: z.string() }));
const work = defineStage('work', { consumes: Tick.upTo(1), emits: [Tick.v1, Done.v1], concurrency });
const origin = { team: 'bench', customer: 'acme', feature: 'throughput' };

/** The handler of the stage: one call, one emission. */
class Work {
  onHandle: ((message: Message<{ left: number }>) => void) | undefined;

  async handle(message: Message<{ left: number; text: string }>, ctx: StageContext): Promise<void> {
    this.onHandle?.(message);
    const { text } = await generateText({
      model: ctx.model('openai/gpt-5-mini', { step: 'answer' }),
      prompt: `Answer number ${message.data.left}: ${message.data.text}`,
      maxOutputTokens: 200,
      abortSignal: ctx.signal,
    });
    if (message.data.left > 1) ctx.emit(Tick.v1, { left: message.data.left - 1, text: message.data.text });
    else ctx.emit(Done.v1, { text });
  }
}

/** BullMQ on its own: jobs added in bulk and taken by a worker that does nothing. Jobs a second. */
async function rawBullMq(url: string, jobs: number): Promise<number> {
  const { hostname, port } = new URL(url);
  const connection = { host: hostname, port: Number(port), maxRetriesPerRequest: null };
  const name = `raw-${Date.now()}`;
  const queue = new Queue(name, { connection });
  let left = jobs;
  const { promise: done, resolve } = Promise.withResolvers<void>();
  const worker = new Worker(
    name,
    () => {
      left -= 1;
      if (left === 0) resolve();
      return Promise.resolve();
    },
    { connection, concurrency, removeOnComplete: { count: 0 }, removeOnFail: { count: 0 } },
  );
  await worker.waitUntilReady();
  const startedMs = performance.now();
  const data = { origin, lane: 'standard', traceParent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` };
  for (let from = 0; from < jobs; from += 200) {
    const size = Math.min(200, jobs - from);
    await queue.addBulk(
      Array.from({ length: size }, (_, index) => ({
        name: 'wake',
        data,
        opts: { jobId: `job-${from + index}`, removeOnComplete: true, removeOnFail: true },
      })),
    );
  }
  await done;
  const rate = jobs / ((performance.now() - startedMs) / 1000);
  await worker.close();
  await queue.close();
  return rate;
}

async function openHost(
  directory: string,
  ledgerUrl?: string,
  queueUrl?: string,
  watched: { readonly endpoint?: string | undefined; readonly metrics?: MillraceMetrics } = {},
): Promise<{ host: Host; handler: Work }> {
  const model = new ScriptedModel(
    () => ({ text: 'An answer of some words.', usage: { uncachedInput: 30, textOutput: 8 } }),
    'gpt-5-mini',
  );
  const host = await Host.open({
    configuration: loadConfiguration({
      environment: {},
      options: {
        dataDirectory: directory,
        ...(ledgerUrl === undefined ? {} : { ledger: { url: ledgerUrl } }),
        ...(queueUrl === undefined ? {} : { queue: { url: queueUrl } }),
        tracing: { endpoint: watched.endpoint },
      },
    }),
    ...(watched.metrics === undefined ? {} : { metrics: watched.metrics }),
    logger: silentLogger,
    modelProviders: { openai: { kind: 'custom', model: () => model } },
  });
  const handler = new Work();
  await host.start([{ definition: work as never, handler }]);
  return { host, handler };
}

/** Milliseconds of processor time: of this process, and of the servers. */
interface CpuOfStage {
  readonly node: number;
  readonly postgres: number;
  readonly redis: number;
}

function cpuNow(): CpuOfStage {
  const { user, system } = process.cpuUsage();
  return {
    node: (user + system) / 1000,
    postgres: postgres === undefined ? 0 : processCpuMs(postgres.pid),
    redis: processCpuMs(redis.pid),
  };
}

interface Throughput {
  readonly perSecond: number;
  readonly drainedPerSecond: number;
  readonly cpu: CpuOfStage;
}

/** Admits roots whose messages hop through the stage, and waits until all are done and exported. */
async function throughput(host: Host, handler: Work, count: number): Promise<Throughput> {
  let left = count;
  const { promise: handled, resolve } = Promise.withResolvers<void>();
  handler.onHandle = () => {
    left -= 1;
    if (left === 0) resolve();
  };
  const startedMs = performance.now();
  const cpuBefore = cpuNow();
  const roots = Math.ceil(count / hops);
  const text = 'x'.repeat(400);
  await Promise.all(
    Array.from({ length: roots }, () => host.admissions.admit(Tick.v1, { left: hops, text }, { origin })),
  );
  await handled;
  const handledMs = performance.now();
  const millrace = new Millrace(host);
  while (!(await millrace.isIdle())) await new Promise((next) => setTimeout(next, 5));
  await host.exporter.drain();
  const drainedMs = performance.now();
  const cpuAfter = cpuNow();
  return {
    perSecond: count / ((handledMs - startedMs) / 1000),
    drainedPerSecond: count / ((drainedMs - startedMs) / 1000),
    cpu: {
      node: (cpuAfter.node - cpuBefore.node) / count,
      postgres: (cpuAfter.postgres - cpuBefore.postgres) / count,
      redis: (cpuAfter.redis - cpuBefore.redis) / count,
    },
  };
}

/** Milliseconds from admission to the handler, one message at a time. */
async function latency(host: Host, handler: Work, count: number): Promise<number[]> {
  const measured: number[] = [];
  for (let turn = 0; turn < count; turn += 1) {
    const { promise: handled, resolve } = Promise.withResolvers<void>();
    handler.onHandle = () => resolve();
    const startedMs = performance.now();
    await Promise.all([host.admissions.admit(Tick.v1, { left: 1, text: 'x' }, { origin }), handled]);
    measured.push(performance.now() - startedMs);
    await new Promise((next) => setTimeout(next, 15));
  }
  return measured;
}

/** What it costs to be watched: rounds with spans and metrics, and without either, in turn. */
async function compareTracing(ledgerUrl?: string, queueUrl?: string): Promise<void> {
  const sink = await startOtlpSink();
  const measured = { off: [] as Throughput[], on: [] as Throughput[] };
  for (let round = 0; round <= Number(flags.rounds); round += 1) {
    // Who goes first changes, so that what the tables gather counts for both.
    for (const kind of round % 2 === 0 ? (['off', 'on'] as const) : (['on', 'off'] as const)) {
      const watched = kind === 'on' ? { endpoint: sink.endpoint } : { metrics: silentMetrics };
      const { host, handler } = await openHost(directory, ledgerUrl, queueUrl, watched);
      await throughput(host, handler, Math.min(1000, stages));
      const result = await throughput(host, handler, round === 0 ? Math.min(2000, stages) : stages);
      await host.stop();
      if (round === 0) continue;
      measured[kind].push(result);
      console.log(
        `round ${round}, spans and metrics ${kind}: ${result.perSecond.toFixed(0)} stages/s; CPU a stage: this process ${result.cpu.node.toFixed(3)} ms, PostgreSQL ${result.cpu.postgres.toFixed(3)} ms`,
      );
    }
  }
  const bytes = await sink.stop();
  const [rateOff, rateOn] = [measured.off, measured.on].map((of) => median(of.map((one) => one.perSecond)));
  const [cpuOff, cpuOn] = [measured.off, measured.on].map((of) => median(of.map((one) => one.cpu.node)));
  console.log(
    `spans and metrics on against off, medians: ${((rateOn ?? 0) / (rateOff ?? 1)).toFixed(3)} of the stages/s; CPU of this process ${cpuOff?.toFixed(3)} → ${cpuOn?.toFixed(3)} ms a stage (${((cpuOn ?? 0) / (cpuOff ?? 1)).toFixed(3)}); ${(bytes / 1e6).toFixed(1)} MB of spans sent`,
  );
}

const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
const redis = await RedisServer.start({ appendOnly: 'everysec' });
const isEmbedded = flags.stores === 'embedded';
const postgres = isEmbedded
  ? undefined
  : await PostgresServer.start({ settings: { max_wal_size: '4GB', shared_buffers: '512MB' } });
const sink = flags.tracing === 'on' ? await startOtlpSink() : undefined;
try {
  const ledgerUrl = await postgres?.createDatabase('bench');
  const queueUrl = isEmbedded ? undefined : redis.url;
  if (flags.tracing === 'both') await compareTracing(ledgerUrl, queueUrl);
  else await measureStages(ledgerUrl, queueUrl);
} finally {
  await sink?.stop();
  await redis.stop();
  await postgres?.stop();
  rmSync(directory, { recursive: true, force: true });
}

/** Full stages beside BullMQ alone, and the time to the handler. */
async function measureStages(ledgerUrl?: string, queueUrl?: string): Promise<void> {
  const { host, handler } = await openHost(directory, ledgerUrl, queueUrl, { endpoint: sink?.endpoint });
  const raw: number[] = [];
  const full: number[] = [];
  const drained: number[] = [];
  await throughput(host, handler, Math.min(2000, stages));
  await rawBullMq(redis.url, 2000);
  for (let round = 1; round <= Number(flags.rounds); round += 1) {
    raw.push(await rawBullMq(redis.url, stages));
    const result = await throughput(host, handler, stages);
    full.push(result.perSecond);
    drained.push(result.drainedPerSecond);
    console.log(
      `round ${round}: BullMQ alone ${raw.at(-1)?.toFixed(0)} jobs/s; full stages ${result.perSecond.toFixed(0)}/s, with export drained ${result.drainedPerSecond.toFixed(0)}/s; CPU a stage: this process ${result.cpu.node.toFixed(3)} ms, PostgreSQL ${result.cpu.postgres.toFixed(3)} ms, Redis ${result.cpu.redis.toFixed(3)} ms`,
    );
  }
  const waits = await latency(host, handler, 200);
  console.log(
    `stores: ${isEmbedded ? 'embedded (PGlite, chDB)' : 'PostgreSQL, Redis (AOF), chDB'}; concurrency ${concurrency}; medians of ${flags.rounds} rounds`,
  );
  console.log(`BullMQ alone on Redis: ${median(raw).toFixed(0)} jobs/s`);
  console.log(
    `full stages:           ${median(full).toFixed(0)}/s (${(median(full) / median(raw)).toFixed(3)} of BullMQ alone)`,
  );
  console.log(
    `with export drained:   ${median(drained).toFixed(0)}/s (${(median(drained) / median(raw)).toFixed(3)} of BullMQ alone)`,
  );
  console.log(
    `admission to handler, idle: p50 ${median(waits).toFixed(2)} ms, p99 ${percentile(waits, 0.99).toFixed(2)} ms`,
  );
  const totals = await host.calls.totals();
  console.log(`ledger: ${totals.calls} calls, ${totals.settledUsd.toFixed()} USD`);
  await host.stop();
}
