import { cpus } from 'node:os';
import { benchOptions } from './bench-options.ts';
import { startOtlpSink } from './otlp-sink.ts';
import { silentMetrics } from './silent-metrics.ts';
import { BenchStores } from './stage/bench-stores.ts';
import { openMillrace, type Watched } from './stage/millrace-subject.ts';
import { median, rotated, spreadOf, written } from './statistics.ts';

const help = `node bench/tracing.ts [--stores services|embedded] [--stages 20000] [--concurrency 800] [--rounds 3] [--hops 10]

What it costs to be watched: full stages a second with spans (to a receiver in another process) and metrics, beside
the same stages with neither, in turn, on the same stores. All in this process.
`;

const flags = benchOptions(help, {
  stores: { type: 'string', default: 'services' },
  stages: { type: 'string', default: '20000' },
  concurrency: { type: 'string', default: '800' },
  rounds: { type: 'string', default: '3' },
  hops: { type: 'string', default: '10' },
});
const stages = Number(flags.stages);

interface Round {
  readonly perSecond: number;
  readonly nodeMs: number;
  readonly postgresMs: number;
}

const stores = await BenchStores.start({ isEmbedded: flags.stores === 'embedded' });
const sink = await startOtlpSink();
try {
  const ways = { off: { metrics: silentMetrics }, on: { endpoint: sink.endpoint } };
  const measured = { off: [] as Round[], on: [] as Round[] };
  for (let round = 0; round <= Number(flags.rounds); round += 1) {
    // The first round warms both up and does not count.
    for (const way of rotated(['off', 'on'] as const, round)) {
      const result = await throughput(ways[way], round === 0 ? Math.min(2000, stages) : stages);
      if (round === 0) continue;
      measured[way].push(result);
      console.log(
        `round ${round}, spans and metrics ${way}: ${result.perSecond.toFixed(0)} stages/s; CPU a stage: this process ${result.nodeMs.toFixed(3)} ms, PostgreSQL ${result.postgresMs.toFixed(3)} ms`,
      );
    }
  }
  const ratios = (pick: (round: Round) => number): string =>
    written(spreadOf(measured.on.map((on, round) => pick(on) / pick(measured.off[round] ?? on))), 3);
  const cpu = (of: readonly Round[]): string => median(of.map(({ nodeMs }) => nodeMs)).toFixed(3);
  console.log(
    `spans and metrics on against off, medians (least to most) of ${flags.rounds} rounds on ${cpus().length} cores: ${ratios(({ perSecond }) => perSecond)} of the stages/s; CPU of this process ${cpu(measured.off)} → ${cpu(measured.on)} ms a stage, ${ratios(({ nodeMs }) => nodeMs)}`,
  );
} finally {
  const bytes = await sink.stop();
  console.log(`${(bytes / 1e6).toFixed(1)} MB of spans sent`);
  await stores.stop();
}

/** One host that works until all is done and exported. */
async function throughput(watched: Watched, count: number): Promise<Round> {
  const postgresUrl = await stores.database('watched');
  const subject = await openMillrace(
    {
      kind: 'millrace-call',
      name: 'watched',
      ...(postgresUrl === undefined ? {} : { postgresUrl }),
      redisUrl: stores.redis.url,
      directory: stores.directory('watched'),
      concurrency: Number(flags.concurrency),
      hops: Number(flags.hops),
      role: 'first',
    },
    watched,
  );
  let handledSoFar = 0;
  let target = Math.min(1000, stages);
  let reached = Promise.withResolvers<void>();
  await subject.start(() => {
    handledSoFar += 1;
    if (handledSoFar === target) reached.resolve();
  });
  await Promise.all([subject.feed(target), reached.promise]);
  target += count;
  reached = Promise.withResolvers();
  const before = await stores.use();
  const cpuBefore = process.cpuUsage();
  const startedMs = performance.now();
  await Promise.all([subject.feed(count), reached.promise]);
  const handledMs = performance.now() - startedMs;
  await subject.untilDone();
  const { user, system } = process.cpuUsage(cpuBefore);
  const after = await stores.use();
  await subject.stop();
  return {
    perSecond: count / (handledMs / 1000),
    nodeMs: (user + system) / 1000 / count,
    postgresMs: (after.postgresMs - before.postgresMs) / count,
  };
}
