/*
 * What an item of a batch costs to orchestrate: a batch through two stages beside a bare loop that makes the same calls, in the same run.
 * `--help` says what is measured.
 */
import { createWriteStream } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ClickHouseHttpServer, serverPassword, serverUser } from '../test/support/clickhouse-http-server.ts';
import { SimulatorServer } from '../test/support/simulator-server.ts';
import { BatchBenchProcess } from './batches/batch-bench-process.ts';
import { type BatchBenchOptions, type MemoryPeriod, type Step, steps, type Work } from './batches/orders.ts';
import { benchOptions } from './bench-options.ts';
import { BenchStores, type ServerUse } from './stage/bench-stores.ts';

const help = `node bench/batches.ts [options]

Items go as one batch through two stages, with one call by generateText each: they are submitted (JSON Lines, streamed), run, exported
to ClickHouse, and their output is read. Before that a bare loop reads the same file, makes the same two calls for each line, with as
many lines at once, and writes a line of output; it keeps nothing. Each is in a process of its own, which has worked before.

Printed of each step: seconds; microseconds an item by the clock, and of processor time in its process, PostgreSQL and Redis.
Then the ratio of the batch's run to the loop, by the clock and by processor time. The provider has no latency, so both are
what remains of an item. And of the batch's process, period by period: the most of its RSS, JavaScript objects after a full
collection (which is made at its end), items that have ended, and items a second.

  --items N            100000
  --mode MODE          services (default): PostgreSQL, Redis, and ClickHouse's HTTP interface in processes of their own.
                       embedded: PGlite and chDB in the process
  --concurrency N      64; lines at once in the loop, messages at once in the two stages together
  --model MODEL        simulator (default): a provider on loopback without latency. process: a model in the process itself
  --chunk N            250; items of a chunk
  --in-flight N        8; chunks under way at once
  --warm-up N          500; items of the work before
  --period N           10; seconds
  --json               one JSON document on standard output; the rest goes to standard error
  --help

To see where the time goes: NODE_OPTIONS="--cpu-prof --cpu-prof-dir=DIRECTORY".`;

const flags = benchOptions(`${help}\n`, {
  items: { type: 'string', default: '100000' },
  mode: { type: 'string', default: 'services' },
  concurrency: { type: 'string', default: '64' },
  model: { type: 'string', default: 'simulator' },
  chunk: { type: 'string', default: '250' },
  'in-flight': { type: 'string', default: '8' },
  'warm-up': { type: 'string', default: '500' },
  period: { type: 'string', default: '10' },
  json: { type: 'boolean', default: false },
});

/** A step of one of the two, of all items. Milliseconds. */
interface Measured {
  readonly wallMs: number;
  readonly nodeMs: number;
  readonly postgresMs: number;
  readonly redisMs: number;
}

const maxChunkItems = 500;
const maxChunksInFlight = 64;
const heading = 'seconds  RSS MB (most)  heap MB    ended  items/s';

await main();

async function main(): Promise<void> {
  const isEmbedded = flags.mode === 'embedded';
  if (!isEmbedded && flags.mode !== 'services') refuse('--mode is services or embedded');
  if (flags.model !== 'simulator' && flags.model !== 'process') refuse('--model is simulator or process');
  const items = wholeNumber('items');
  const settings = {
    concurrency: wholeNumber('concurrency'),
    chunkItems: wholeNumber('chunk', maxChunkItems),
    chunksInFlight: wholeNumber('in-flight', maxChunksInFlight),
    memoryEverySeconds: wholeNumber('period'),
  };
  const warmUp = wholeNumber('warm-up');
  const say = flags.json ? console.error : console.log;
  const loadBefore = loadavg()[0] ?? Number.NaN;
  const closing: (() => Promise<unknown>)[] = [];
  try {
    const stores = await BenchStores.start({ isEmbedded, checkpoints: 'ordinary' });
    closing.push(() => stores.stop());
    const common = await startAround(stores, isEmbedded, closing);
    const machine = {
      cores: cpus().length,
      node: process.version,
      stores: await stores.versions(),
      loadBefore: Number(loadBefore.toFixed(2)),
    };
    say(
      `${machine.cores} cores, load average ${machine.loadBefore} before the run; Node ${machine.node}; ${machine.stores}; ` +
        `${items} items, concurrency ${settings.concurrency}, model: ${flags.model}\n`,
    );
    const works = {
      all: await writeItems(stores, 'items', items),
      warmUp: await writeItems(stores, 'warm-up', warmUp),
    };
    const loop = await measure({ kind: 'loop', ...common, ...settings }, stores, works, (step, measured) => {
      if (step === 'run') say(lineOf('bare loop', measured, items));
    });
    const millrace = await measure(
      { kind: 'millrace', ...common, ...settings },
      stores,
      works,
      (step, measured) => say(lineOf(`batch: ${step}`, measured, items)),
    );
    const ratios = ratiosOf(loop.steps.run, millrace.steps.run);
    say(
      `\nrun of the batch against the loop: ${ratios.wall.toFixed(2)} by the clock, ${ratios.node.toFixed(2)} in processor time of the process, ` +
        `${ratios.cpu.toFixed(2)} with the servers'\n\n${heading}`,
    );
    for (const [place, period] of millrace.memory.entries())
      say(memoryLineOf(period, millrace.memory[place - 1]));
    if (flags.json)
      console.log(
        JSON.stringify({ machine, settings: { items, warmUp, ...settings }, loop, millrace, ratios }),
      );
  } finally {
    for (const close of closing.toReversed()) await close();
  }
}

/** What the processes are told of what is around them. */
async function startAround(
  stores: BenchStores,
  isEmbedded: boolean,
  closing: (() => Promise<unknown>)[],
): Promise<Pick<BatchBenchOptions, 'directory' | 'simulatorUrl' | 'servers'>> {
  const directory = stores.directory('host');
  let simulated: Pick<BatchBenchOptions, 'simulatorUrl'> = {};
  if (flags.model === 'simulator') {
    const simulator = await SimulatorServer.start(stores.directory('simulator'), {
      latency: { medianMs: 0, p99Ms: 0 },
      // Its bill is not read.
      maxEntriesInMemory: 1000,
    });
    closing.push(() => simulator.stop());
    simulated = { simulatorUrl: simulator.url };
  }
  const postgresUrl = await stores.database('batches');
  if (isEmbedded || postgresUrl === undefined) return { directory, ...simulated };
  const columns = new ClickHouseHttpServer(stores.directory('clickhouse'));
  closing.push(() => columns.stop());
  await columns.start();
  const clickHouse = { url: columns.url, user: serverUser, password: serverPassword };
  return { directory, ...simulated, servers: { postgresUrl, redisUrl: stores.redis.url, clickHouse } };
}

/** Letters of about a hundred tokens, as JSON Lines. */
async function writeItems(stores: BenchStores, name: string, items: number): Promise<Work> {
  const input = join(stores.directory('input'), `${name}.jsonl`);
  const text = 'It came late, and the box was broken. '.repeat(10);
  function* lines(): Generator<string> {
    for (let n = 1; n <= items; n += 1)
      yield `${JSON.stringify({ id: `${name}-${n}`, data: { subject: `Order ${n}`, text } })}\n`;
  }
  await pipeline(Readable.from(lines()), createWriteStream(input));
  return { input, items };
}

async function measure(
  options: BatchBenchOptions,
  stores: BenchStores,
  { all, warmUp }: { readonly all: Work; readonly warmUp: Work },
  onStep: (step: Step, measured: Measured) => void,
): Promise<{ readonly steps: Readonly<Record<Step, Measured>>; readonly memory: readonly MemoryPeriod[] }> {
  const memory: MemoryPeriod[] = [];
  const child = new BatchBenchProcess((period) => memory.push(period));
  try {
    await child.ask({ kind: 'open', options });
    await child.ask({ kind: 'warm_up', work: warmUp });
    const found: Partial<Record<Step, Measured>> = {};
    for (const step of steps) {
      const before = await stores.use();
      const { wallMs, cpuMs } = await child.ask({ kind: 'step', step, work: all });
      const measured = { wallMs, nodeMs: cpuMs, ...usedSince(before, await stores.use()) };
      found[step] = measured;
      onStep(step, measured);
    }
    await child.ask({ kind: 'close' });
    return { steps: found as Record<Step, Measured>, memory };
  } finally {
    await child.end();
  }
}

function usedSince(before: ServerUse, after: ServerUse): Pick<Measured, 'postgresMs' | 'redisMs'> {
  return { postgresMs: after.postgresMs - before.postgresMs, redisMs: after.redisMs - before.redisMs };
}

function ratiosOf(
  loop: Measured,
  batch: Measured,
): { readonly wall: number; readonly node: number; readonly cpu: number } {
  const all = ({ nodeMs, postgresMs, redisMs }: Measured): number => nodeMs + postgresMs + redisMs;
  return {
    wall: batch.wallMs / loop.wallMs,
    node: batch.nodeMs / loop.nodeMs,
    cpu: all(batch) / all(loop),
  };
}

function lineOf(name: string, { wallMs, nodeMs, postgresMs, redisMs }: Measured, items: number): string {
  const each = (ms: number): string => ((ms * 1000) / items).toFixed(0).padStart(5);
  return (
    `${name.padEnd(14)} ${(wallMs / 1000).toFixed(1).padStart(7)} s, ${((items / wallMs) * 1000).toFixed(0).padStart(6)} items/s; ` +
    `µs an item: ${each(wallMs)} by the clock; processor time: Node ${each(nodeMs)}, PostgreSQL ${each(postgresMs)}, Redis ${each(redisMs)}`
  );
}

function memoryLineOf({ atSeconds, rssMost, reachable, ended }: MemoryPeriod, before?: MemoryPeriod): string {
  const mb = (bytes: number): string => (bytes / 1_048_576).toFixed(0);
  const perSecond = (ended - (before?.ended ?? 0)) / (atSeconds - (before?.atSeconds ?? 0));
  return [
    atSeconds.toFixed(0).padStart(7),
    mb(rssMost).padStart(13),
    mb(reachable).padStart(7),
    String(ended).padStart(7),
    perSecond.toFixed(0).padStart(7),
  ].join('  ');
}

function wholeNumber(
  flag: 'items' | 'concurrency' | 'chunk' | 'in-flight' | 'warm-up' | 'period',
  most = Number.MAX_SAFE_INTEGER,
): number {
  const value = Number(flags[flag]);
  if (Number.isSafeInteger(value) && value >= 1 && value <= most) return value;
  const limit = most === Number.MAX_SAFE_INTEGER ? '' : ` to ${most}`;
  return refuse(`--${flag} takes a whole number from 1${limit}`);
}

/** Ends with what is wrong with the command line, before anything is started. */
function refuse(message: string): never {
  console.error(message);
  process.exit(2);
}
