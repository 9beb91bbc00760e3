import { median, percentile, spread } from '../statistics.ts';
import type { Measurement, Setup } from './measure.ts';

/** The measurements of one setup, one a round. */
export interface Series {
  readonly setup: Setup;
  readonly rounds: readonly Measurement[];
}

const heads = [
  ['', 'jobs/s', 'of bullmq', 'of bullmq', 'drained/s', 'CPU ms a job', '', '', '', 'WAL KB', 'idle ms', ''],
  ['', '', '', 'fed alike', '', 'Node', 'PostgreSQL', 'Redis', 'all', 'a job', 'p50', 'p99'],
];

/** One round of one setup in a line. */
export function lineOf(round: number, { name }: Setup, of: Measurement): string {
  const parts = [
    `${of.perSecond.toFixed(0)} jobs/s, drained ${of.drainedPerSecond.toFixed(0)}/s`,
    `CPU a job: Node ${of.nodeMs.toFixed(3)} ms, PostgreSQL ${of.postgresMs.toFixed(3)} ms, Redis ${of.redisMs.toFixed(3)} ms`,
    ...(of.walBytes === undefined ? [] : [`WAL ${(of.walBytes / 1000).toFixed(2)} KB`]),
    ...(of.latenciesMs.length === 0
      ? []
      : [
          `idle p50 ${median(of.latenciesMs).toFixed(1)} ms, p99 ${percentile(of.latenciesMs, 0.99).toFixed(1)} ms`,
        ]),
    ...(of.shares.length === 1
      ? []
      : [`shares ${of.shares.map((share) => `${(share * 100).toFixed(0)} %`).join(' and ')}`]),
  ];
  return `round ${round}, ${name}: ${parts.join('; ')}`;
}

/** All setups in a table, each beside BullMQ of the same round. */
export function tableOf(all: readonly Series[]): string {
  const lines = [...heads, ...all.map((series) => cellsOf(series, all))];
  const widths = lines.reduce<readonly number[]>(
    (most, line) => line.map((cell, column) => Math.max(most[column] ?? 0, cell.length)),
    [],
  );
  const padded = lines.map((line) =>
    line
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
  const settings = new Map(all.map(({ setup, rounds }) => [setup.kind, rounds[0]?.settings ?? '']));
  return [...padded, '', ...[...settings].map(([kind, text]) => `${kind}: ${text}`)].join('\n');
}

function cellsOf(series: Series, all: readonly Series[]): readonly string[] {
  const { setup, rounds } = series;
  const { ofBullMq, ofBullMqFedAlike } = ratiosOf(series, all);
  const of = (pick: (round: Measurement) => number): number[] => rounds.map(pick);
  const cpu = (pick: (round: Measurement) => number): string => median(of(pick)).toFixed(3);
  const latencies = rounds.flatMap(({ latenciesMs }) => latenciesMs);
  const wal = rounds.flatMap(({ walBytes }) => walBytes ?? []);
  return [
    setup.name,
    spread(of(({ perSecond }) => perSecond)),
    spread(ofBullMq, 3),
    ofBullMqFedAlike === undefined ? '-' : spread(ofBullMqFedAlike, 3),
    spread(of(({ drainedPerSecond }) => drainedPerSecond)),
    cpu(({ nodeMs }) => nodeMs),
    cpu(({ postgresMs }) => postgresMs),
    cpu(({ redisMs }) => redisMs),
    spread(
      of((round) => round.nodeMs + round.postgresMs + round.redisMs),
      3,
    ),
    wal.length === 0 ? '-' : (median(wal) / 1000).toFixed(2),
    latencies.length === 0 ? '-' : median(latencies).toFixed(1),
    latencies.length === 0 ? '-' : percentile(latencies, 0.99).toFixed(1),
  ];
}

/** Rates as shares of BullMQ's in the same round. */
export interface Ratios {
  /** Of the baseline, which feeds itself in one process. */
  readonly ofBullMq: readonly number[];
  /** Of BullMQ with a backlog, or in two processes, where the setup is so; absent when that was not measured. */
  readonly ofBullMqFedAlike?: readonly number[];
}

export function ratiosOf({ setup, rounds }: Series, all: readonly Series[]): Ratios {
  const of = (feed: Setup['feed'], processes: number): readonly number[] | undefined => {
    const bullMq = all.find(
      (other) =>
        other.setup.kind === 'bullmq' && other.setup.feed === feed && other.setup.processes === processes,
    );
    return (
      bullMq && rounds.map(({ perSecond }, round) => perSecond / (bullMq.rounds[round]?.perSecond ?? NaN))
    );
  };
  const ofBullMq = of('own', 1);
  if (ofBullMq === undefined) throw new Error('the baseline is always measured');
  const ofBullMqFedAlike = of(setup.feed, setup.processes);
  return { ofBullMq, ...(ofBullMqFedAlike === undefined ? {} : { ofBullMqFedAlike }) };
}
