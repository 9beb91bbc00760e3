import { median, percentile, type Spread, spreadOf, written } from '../statistics.ts';
import type { Measurement, Setup } from './measure.ts';

/** The measurements of one setup, one a round. */
export interface Series {
  readonly setup: Setup;
  readonly rounds: readonly Measurement[];
}

/** What all rounds of a setup come to. Processor time, in milliseconds, and WAL are a job. */
export interface Result extends Setup {
  readonly settings: string;
  readonly perSecond: Spread;
  /** Shares of BullMQ's rate in the same round, which feeds itself in one process. */
  readonly ofBullMq: Spread;
  /** Of BullMQ with a backlog, or in two processes, where the setup is so; absent when that was not measured. */
  readonly ofBullMqFedAlike?: Spread;
  readonly drainedPerSecond: Spread;
  readonly nodeMs: Spread;
  readonly postgresMs: Spread;
  readonly redisMs: Spread;
  readonly cpuMs: Spread;
  readonly walBytes?: Spread;
  /** From adding a job until its handler, when it is alone. */
  readonly idleMs?: { readonly p50: number; readonly p99: number };
  readonly rounds: readonly Measurement[];
}

const heads = [
  ['', 'jobs/s', 'of bullmq', 'of bullmq', 'drained/s', 'CPU ms a job', '', '', '', 'WAL KB', 'idle ms', ''],
  ['', '', '', 'fed alike', '', 'Node', 'PostgreSQL', 'Redis', 'all', 'a job', 'p50', 'p99'],
];

/** One round of one setup in a line. */
export function lineOf(round: number, { name }: Setup, of: Measurement): string {
  const { latenciesMs, shares, walBytes } = of;
  const [p50, p99] = [0.5, 0.99].map((share) => percentile(latenciesMs, share).toFixed(1));
  const parts = [
    `${of.perSecond.toFixed(0)} jobs/s, drained ${of.drainedPerSecond.toFixed(0)}/s`,
    `CPU a job: Node ${of.nodeMs.toFixed(3)} ms, PostgreSQL ${of.postgresMs.toFixed(3)} ms, Redis ${of.redisMs.toFixed(3)} ms`,
    ...(walBytes === undefined ? [] : [`WAL ${(walBytes / 1000).toFixed(2)} KB`]),
    ...(latenciesMs.length === 0 ? [] : [`idle p50 ${p50} ms, p99 ${p99} ms`]),
    ...(shares.length === 1
      ? []
      : [`shares ${shares.map((share) => `${(share * 100).toFixed(0)} %`).join(' and ')}`]),
  ];
  return `round ${round}, ${name}: ${parts.join('; ')}`;
}

export function resultOf({ setup, rounds }: Series, all: readonly Series[]): Result {
  const of = (pick: (round: Measurement) => number): Spread => spreadOf(rounds.map(pick));
  const share = (feed: Setup['feed'], processes: number): Spread | undefined => {
    const bullMq = all.find(
      (other) =>
        other.setup.kind === 'bullmq' && other.setup.feed === feed && other.setup.processes === processes,
    );
    if (bullMq === undefined) return undefined;
    return spreadOf(
      rounds.map(({ perSecond }, round) => perSecond / (bullMq.rounds[round]?.perSecond ?? Number.NaN)),
    );
  };
  const ofBullMq = share('own', 1);
  if (ofBullMq === undefined) throw new Error('the baseline is always measured');
  const ofBullMqFedAlike = share(setup.feed, setup.processes);
  const wal = rounds.flatMap(({ walBytes }) => walBytes ?? []);
  const latencies = rounds.flatMap(({ latenciesMs }) => latenciesMs);
  return {
    ...setup,
    settings: rounds[0]?.settings ?? '',
    perSecond: of(({ perSecond }) => perSecond),
    ofBullMq,
    ...(ofBullMqFedAlike === undefined ? {} : { ofBullMqFedAlike }),
    drainedPerSecond: of(({ drainedPerSecond }) => drainedPerSecond),
    nodeMs: of(({ nodeMs }) => nodeMs),
    postgresMs: of(({ postgresMs }) => postgresMs),
    redisMs: of(({ redisMs }) => redisMs),
    cpuMs: of(({ nodeMs, postgresMs, redisMs }) => nodeMs + postgresMs + redisMs),
    ...(wal.length === 0 ? {} : { walBytes: spreadOf(wal) }),
    ...(latencies.length === 0
      ? {}
      : { idleMs: { p50: median(latencies), p99: percentile(latencies, 0.99) } }),
    rounds,
  };
}

/** All setups in a table: medians, with the least and the most of the rounds where that says more. */
export function tableOf(results: readonly Result[]): string {
  const lines = [...heads, ...results.map(cellsOf)];
  const widths = lines.reduce<readonly number[]>(
    (most, line) => line.map((cell, column) => Math.max(most[column] ?? 0, cell.length)),
    [],
  );
  const pad = (cell: string, column: number): string => {
    const width = widths[column] ?? 0;
    return column === 0 ? cell.padEnd(width) : cell.padStart(width);
  };
  const table = lines.map((line) => line.map(pad).join('  ').trimEnd());
  const settings = new Map(results.map(({ kind, settings: of }) => [kind, of]));
  return [...table, '', ...[...settings].map(([kind, of]) => `${kind}: ${of}`)].join('\n');
}

function cellsOf(of: Result): readonly string[] {
  const { ofBullMqFedAlike, walBytes, idleMs } = of;
  return [
    of.name,
    written(of.perSecond),
    written(of.ofBullMq, 3),
    ofBullMqFedAlike === undefined ? '-' : written(ofBullMqFedAlike, 3),
    written(of.drainedPerSecond),
    of.nodeMs.median.toFixed(3),
    of.postgresMs.median.toFixed(3),
    of.redisMs.median.toFixed(3),
    written(of.cpuMs, 3),
    walBytes === undefined ? '-' : (walBytes.median / 1000).toFixed(2),
    idleMs === undefined ? '-' : idleMs.p50.toFixed(1),
    idleMs === undefined ? '-' : idleMs.p99.toFixed(1),
  ];
}
