/*
 * A host under half of what it can do, for minutes: does its memory stay, and does its event loop stay free? `--help`
 * says what is measured and judged.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { ClickHouseHttpServer, serverPassword, serverUser } from '../test/support/clickhouse-http-server.ts';
import { benchOptions } from './bench-options.ts';
import type { SoakOrder, SoakReport } from './soak/soak-process.ts';
import { findFailures, type Limits, type Period } from './soak/verdict.ts';
import { BenchStores } from './stage/bench-stores.ts';

const help = `node bench/soak.ts [options]

One process with all roles works on full stages (one metered call by generateText to a model in the process, one emission,
export), which it admits itself. First it does as many as it can, for --full seconds, of which the last two thirds count.
Then --load of that rate is fed for --minutes, and each minute printed: stages a second; RSS (median and most of a reading
a second), and what it consists of: JavaScript objects that are left after a full collection at its end (and the whole heap),
WebAssembly memory (PGlite), array buffers, native allocators (chDB, Node), mapped files; the size of the ledger's and of the
usage tables; lag of the event loop p50, p99 and most; stages that wait. Nothing is pruned, so the tables grow with the work.
At the end everything must be done, and settled once.

  --mode MODE          services (default): PostgreSQL, Redis, and ClickHouse's HTTP interface in processes of their own.
                       embedded: PGlite and chDB in the process
  --minutes N          10
  --load SHARE         0.5
  --rate N             stages a second to hold, instead of a share: to compare runs at the same rate
  --full N             20; seconds
  --concurrency N      800 with services, 64 embedded
  --hops N             10; how many stages a message that is admitted goes through
  --flat-after N       3; later minutes are compared with the highest of so many first ones
  --growth SHARE       0.1; a later minute's median RSS may be so much above that
  --period N           60; seconds of what is called a minute here
  --json               one JSON document on standard output; the rest goes to standard error
  --help

Exit code 1: RSS was not flat, lag p99 reached 50 ms in a minute (services only), the rate was not held (more than 10 s of
the load wait at a minute's end), or something was not done. With no minute after --flat-after, memory is not judged.`;

const lagP99Ms = 50;
const heading =
  'minute  stages/s  RSS MB (most)  heap MB (total)  wasm  buffers  native  files  ledger MB  usage MB  lag ms p50    p99    max  waiting';

const flags = benchOptions(help, {
  mode: { type: 'string', default: 'services' },
  minutes: { type: 'string', default: '10' },
  load: { type: 'string', default: '0.5' },
  rate: { type: 'string' },
  full: { type: 'string', default: '20' },
  concurrency: { type: 'string' },
  hops: { type: 'string', default: '10' },
  'flat-after': { type: 'string', default: '3' },
  growth: { type: 'string', default: '0.1' },
  period: { type: 'string', default: '60' },
  json: { type: 'boolean', default: false },
});

await main();

async function main(): Promise<void> {
  const isEmbedded = flags.mode === 'embedded';
  if (!isEmbedded && flags.mode !== 'services') refuse('--mode is services or embedded');
  const settings = {
    load: positive('load', flags.load),
    ...(flags.rate === undefined ? {} : { rate: positive('rate', flags.rate) }),
    fullSeconds: positive('full', flags.full),
    periods: wholeNumber('minutes', flags.minutes),
    periodSeconds: positive('period', flags.period),
  };
  const concurrency = wholeNumber('concurrency', flags.concurrency ?? (isEmbedded ? '64' : '800'));
  const hops = wholeNumber('hops', flags.hops);
  const bounds = {
    flatAfter: wholeNumber('flat-after', flags['flat-after']),
    growth: positive('growth', flags.growth),
    ...(isEmbedded ? {} : { lagP99Ms }),
  };
  const say = flags.json ? console.error : console.log;
  const loadBefore = loadavg()[0] ?? Number.NaN;
  const stores = await BenchStores.start({ isEmbedded, checkpoints: 'ordinary' });
  try {
    const columns = isEmbedded ? undefined : new ClickHouseHttpServer(stores.directory('clickhouse'));
    await columns?.start();
    try {
      const postgresUrl = await stores.database('soak');
      const machine = {
        cores: cpus().length,
        node: process.version,
        stores: await stores.versions(),
        loadBefore: Number(loadBefore.toFixed(2)),
      };
      say(
        `${machine.cores} cores, load average ${machine.loadBefore} before the run; Node ${machine.node}; ${machine.stores}; concurrency ${concurrency}`,
      );
      const result = await run(
        {
          subject: {
            kind: 'millrace-call',
            name: 'soak',
            ...(postgresUrl === undefined ? {} : { postgresUrl }),
            ...(columns === undefined
              ? {}
              : { clickHouse: { url: columns.url, user: serverUser, password: serverPassword } }),
            redisUrl: stores.redis.url,
            directory: stores.directory('soak'),
            concurrency,
            hops,
            role: 'first',
          },
          ...settings,
        },
        say,
      );
      const limits: Limits = { ...bounds, targetPerSecond: result.targetPerSecond };
      const failures = findFailures(result.periods, limits);
      if (result.periods.length <= limits.flatAfter) say('Memory is not judged: no minute to compare.');
      for (const failure of failures) say(`FAILED ${failure}`);
      if (failures.length === 0) say(`Passed: ${result.stages} stages, all done and settled once.`);
      if (flags.json) console.log(JSON.stringify({ machine, settings, limits, ...result, failures }));
      process.exitCode = failures.length === 0 ? 0 : 1;
    } finally {
      await columns?.stop();
    }
  } finally {
    await stores.stop();
  }
}

interface Result {
  readonly perSecond: number;
  readonly targetPerSecond: number;
  readonly periods: readonly Period[];
  readonly stages: number;
}

/** Runs the process and prints what it says. Throws when it fails or ends before it is done. */
async function run(order: SoakOrder, say: (line: string) => void): Promise<Result> {
  const child = fork(join(import.meta.dirname, 'soak', 'soak-process.ts'), [], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const periods: Period[] = [];
  let rates = { perSecond: Number.NaN, targetPerSecond: Number.NaN };
  let stages: number | undefined;
  let problem = 'it ended';
  child.on('message', (report: SoakReport) => {
    switch (report.kind) {
      case 'full':
        rates = report;
        say(
          `full rate ${report.perSecond.toFixed(0)} stages/s; held from here on: ${report.targetPerSecond.toFixed(0)} stages/s\n${heading}`,
        );
        break;
      case 'period':
        periods.push(report.period);
        say(lineOf(report.number, report.period));
        break;
      case 'done':
        stages = report.stages;
        break;
      case 'failed':
        problem = report.message;
    }
  });
  child.send(order);
  await once(child, 'exit');
  if (stages === undefined) throw new Error(`The process of the soak failed: ${problem}`);
  return {
    perSecond: rates.perSecond,
    targetPerSecond: rates.targetPerSecond,
    periods,
    stages,
  };
}

function lineOf(number: number, period: Period): string {
  const { handledPerSecond, memory, rssMost, reachable, stores, lagMs, backlog } = period;
  const mb = (bytes: number): string => (bytes / 1_048_576).toFixed(0);
  return [
    String(number).padStart(6),
    handledPerSecond.toFixed(0).padStart(8),
    `${mb(memory.rss)} (${mb(rssMost)})`.padStart(13),
    `${mb(reachable)} (${mb(memory.heapTotal)})`.padStart(15),
    mb(memory.wasm).padStart(4),
    mb(memory.arrayBuffers).padStart(7),
    mb(memory.native).padStart(6),
    mb(memory.mappedFiles).padStart(5),
    mb(stores.ledgerBytes).padStart(9),
    mb(stores.usageBytes).padStart(8),
    lagMs.p50.toFixed(1).padStart(10),
    lagMs.p99.toFixed(1).padStart(5),
    lagMs.max.toFixed(1).padStart(5),
    String(backlog).padStart(7),
  ].join('  ');
}

function wholeNumber(name: string, text: string): number {
  const value = positive(name, text);
  if (!Number.isSafeInteger(value)) refuse(`--${name} takes a whole number from 1`);
  return value;
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value)) refuse(`--${name} takes a number above 0`);
  return value;
}

/** Ends with what is wrong with the command line, before anything is started. */
function refuse(message: string): never {
  console.error(message);
  process.exit(2);
}
