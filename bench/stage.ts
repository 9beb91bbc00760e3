/*
 * Stages a second of Millrace beside BullMQ, graphile-worker and pg-boss that do nothing with their jobs: in one run, in
 * turn, on the same PostgreSQL and Redis, each in processes of its own. `--help` says what is measured.
 */
import { cpus, loadavg } from 'node:os';
import { benchOptions } from './bench-options.ts';
import { BenchStores } from './stage/bench-stores.ts';
import { type Load, measure, type Measurement, type Setup } from './stage/measure.ts';
import { lineOf, resultOf, type Series, tableOf } from './stage/report.ts';
import { subjectKinds } from './stage/subject.ts';
import { rotated } from './statistics.ts';

const help = `node bench/stage.ts [options]

Measures, in rounds, one setup after the other (who goes first changes from round to round):

  bullmq             BullMQ on Redis, jobs that do nothing: the baseline, always measured
  graphile-worker    on PostgreSQL, jobs that do nothing
  pg-boss            on PostgreSQL, jobs that do nothing, in batches
  millrace-noop      a stage whose handler makes no call
  millrace-call      a full stage: one metered call (generateText, to a model in the process), one emission, export

each in three ways:

  NAME               one process works, and feeds itself meanwhile (queues: jobs added in bulk; Millrace: each message
                     is emitted by the one before, --hops times)
  NAME:backlog       one process works on what another process has added before; adding does not count
  NAME:backlog:2     the same with two processes

and of each: jobs a second, from the feeding (a backlog: from the first job) until the last handler begins; that as a share
of bullmq in the same round, and of bullmq fed alike (a backlog beside its backlog, two processes beside its two), where
it was measured; drained: until all is finished and exported as well; processor time of the working processes, of
PostgreSQL and of Redis, and WAL, until then; and, where a process feeds itself, milliseconds from before a job is added
until its handler begins, when it is alone. Printed are medians, with the least and the most of the rounds in brackets.

  --only NAMES         of the above, separated by commas; a * at the end stands for any end: millrace-*, bullmq:*
  --rounds N           3
  --stages N           20000; jobs of each setup in each round
  --warm-up N          2000; jobs that each process works on before, elsewhere (never more than --stages)
  --concurrency N      800; of BullMQ and Millrace, in each process. The others as their documentation sets them
  --hops N             10
  --latency N          200; jobs sent alone in each round, with 15 ms between
  --stores embedded    Millrace in one process without servers, beside BullMQ on Redis
  --json               one JSON document on standard output; the rest goes to standard error
  --help

A larger young generation saves collections under load, in all processes: NODE_OPTIONS=--max-semi-space-size=128.`;

const flags = benchOptions(help, {
  only: { type: 'string', default: '*' },
  rounds: { type: 'string', default: '3' },
  stages: { type: 'string', default: '20000' },
  'warm-up': { type: 'string', default: '2000' },
  concurrency: { type: 'string', default: '800' },
  hops: { type: 'string', default: '10' },
  latency: { type: 'string', default: '200' },
  stores: { type: 'string', default: 'services' },
  json: { type: 'boolean', default: false },
});

await main();

async function main(): Promise<void> {
  const isEmbedded = flags.stores === 'embedded';
  if (!isEmbedded && flags.stores !== 'services') refuse('--stores is services or embedded');
  const setups = chosen(isEmbedded);
  const rounds = wholeNumber('rounds');
  const stages = wholeNumber('stages');
  const load: Load = {
    stages,
    warmUp: Math.min(wholeNumber('warm-up'), stages),
    concurrency: wholeNumber('concurrency'),
    hops: wholeNumber('hops'),
    latencySamples: wholeNumber('latency', 0),
  };
  const say = flags.json ? console.error : console.log;
  const loadBefore = loadavg()[0] ?? Number.NaN;
  const stores = await BenchStores.start({ isEmbedded });
  try {
    const machine = {
      cores: cpus().length,
      node: process.version,
      stores: await stores.versions(),
      loadBefore: Number(loadBefore.toFixed(2)),
    };
    say(
      `${machine.cores} cores, load average ${machine.loadBefore} before the run; Node ${machine.node}; ${machine.stores}`,
    );
    const measured = new Map(setups.map((setup) => [setup, [] as Measurement[]]));
    for (let round = 1; round <= rounds; round += 1) {
      for (const setup of rotated(setups, round - 1)) {
        const measurement = await measure(setup, load, stores);
        measured.get(setup)?.push(measurement);
        say(lineOf(round, setup, measurement));
      }
    }
    const all = [...measured].map(([setup, of]): Series => ({ setup, rounds: of }));
    const results = all.map((series) => resultOf(series, all));
    say(`\n${stages} jobs a round; medians (least to most) of ${rounds} rounds\n\n${tableOf(results)}`);
    if (flags.json) console.log(JSON.stringify({ machine, load, results }, undefined, 2));
  } finally {
    await stores.stop();
  }
}

/** The setups that `--only` names, in the order of the help; the baseline is always among them. */
function chosen(isEmbedded: boolean): readonly Setup[] {
  const possible = subjectKinds
    .filter((kind) => !isEmbedded || kind === 'bullmq' || kind.startsWith('millrace-'))
    .flatMap((kind): Setup[] => [
      { name: kind, kind, feed: 'own', processes: 1 },
      { name: `${kind}:backlog`, kind, feed: 'backlog', processes: 1 },
      ...(isEmbedded ? [] : [{ name: `${kind}:backlog:2`, kind, feed: 'backlog' as const, processes: 2 }]),
    ]);
  const wanted = new Set(['bullmq']);
  for (const pattern of flags.only.split(',')) {
    const found = possible.filter(({ name }) =>
      pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern,
    );
    if (found.length === 0)
      refuse(`--only ${pattern} is none of ${possible.map(({ name }) => name).join(', ')}`);
    for (const { name } of found) wanted.add(name);
  }
  return possible.filter(({ name }) => wanted.has(name));
}

function wholeNumber(
  flag: 'rounds' | 'stages' | 'warm-up' | 'concurrency' | 'hops' | 'latency',
  least = 1,
): number {
  const value = Number(flags[flag]);
  if (!Number.isSafeInteger(value) || value < least) refuse(`--${flag} takes a whole number from ${least}`);
  return value;
}

/** Ends with what is wrong with the command line, before anything is started. */
function refuse(message: string): never {
  console.error(message);
  process.exit(2);
}
