/* Cost reports and the panels of the cost boards, from rollups and from the records alone. */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrateColumnStore } from '../src/drivers/column-store/column-migrator.ts';
import { openChdb } from '../src/drivers/column-store/column-store.clickhouse.ts';
import type { ColumnStore } from '../src/drivers/column-store/column-store.ts';
import { benchOptions } from './bench-options.ts';
import { fillUsage } from './reports/fill.ts';
import { measureQuarter } from './reports/quarter.ts';
import { apiQuestions, boardQuestions, type Question } from './reports/questions.ts';
import { spreadOf, written } from './statistics.ts';

const help = `node bench/reports.ts [options]

Cost reports and the panels of the cost boards over a month of usage in the embedded engine, each beside the same question
read from the records alone (the engine is told not to use projections) in the same run. The answers are compared.

  --rows N,N         1000000,20000000; how many usage records, one run after the other
  --rounds N         5
  --huge             adds 100,000,000 records (20 GB on disk)
  --quarter N        instead: N records over 90 days of 50 teams, 20,000 customers and 40 features; what finance asks most, each
                     20 times, with the size of the rollups
  --directory DIR    keeps the stores there, and takes those that are there already
  --help
`;

const flags = benchOptions(help, {
  rows: { type: 'string', default: '1000000,20000000' },
  rounds: { type: 'string', default: '5' },
  huge: { type: 'boolean', default: false },
  quarter: { type: 'string' },
  directory: { type: 'string' },
});
const rounds = Number(flags.rounds);
const sizes = [...flags.rows.split(',').map(Number), ...(flags.huge ? [100_000_000] : [])];
const base = flags.directory ?? mkdtempSync(join(tmpdir(), 'millrace-bench-reports-'));

const ways = ['rollups', 'records'] as const;
const settings = { rollups: '', records: ' SETTINGS optimize_use_projections = 0' } as const;

/** How one question was answered one way. */
interface Answer {
  readonly wallMs: number[];
  readonly cpuMs: number[];
  text: string;
  /** What the engine refused. */
  refused?: string;
}

try {
  if (flags.quarter === undefined) for (const rows of sizes) await measure(rows);
  else await measureLarge(Number(flags.quarter));
} finally {
  if (flags.directory === undefined) rmSync(base, { recursive: true, force: true });
}

async function measure(rows: number): Promise<void> {
  const store = await openChdb({ directory: join(base, String(rows)), database: 'millrace' });
  try {
    await migrateColumnStore(store);
    await fill(store, rows, 'month');
    const load = loadavg()[0]?.toFixed(1);
    console.log(
      `\n${rows} rows, ${rounds} rounds, ${cpus().length} cores, load ${load}; medians (least to most) in ms`,
    );
    for (const question of [...apiQuestions(store.database), ...boardQuestions()]) {
      const answers = { rollups: newAnswer(), records: newAnswer() };
      for (let round = 0; round <= rounds; round += 1) {
        // Who goes first changes from round to round; the first round warms both up and does not count.
        for (const way of round % 2 === 0 ? ways : ways.toReversed())
          await ask(store, question, way, answers[way], round > 0);
      }
      print(question, answers);
    }
  } finally {
    await store.close();
  }
}

async function measureLarge(rows: number): Promise<void> {
  const store = await openChdb({ directory: join(base, `quarter-${rows}`), database: 'millrace' });
  try {
    await migrateColumnStore(store);
    await fill(store, rows, 'quarter');
    console.log(`\n${rows} rows over 90 days, ${cpus().length} cores, load ${loadavg()[0]?.toFixed(1)}`);
    await measureQuarter(store, 20);
  } finally {
    await store.close();
  }
}

async function fill(store: ColumnStore, rows: number, shape: 'month' | 'quarter'): Promise<void> {
  const there = await countRows(store);
  if (there !== 0 && there !== rows)
    throw new Error(`${there} rows are there, not ${rows}: give another directory`);
  if (there === 0)
    await fillUsage(store, rows, shape, (done) => {
      if (done % 2_000_000 === 0) console.error(`${done} rows`);
    });
  const filled = await countRows(store);
  if (filled !== rows) throw new Error(`the table has ${filled} rows, not ${rows}`);
}

async function countRows(store: ColumnStore): Promise<number> {
  const [row] = await store.query<{ n: string }>('SELECT count() AS n FROM millrace.usage');
  return Number(row?.n ?? 0);
}

function newAnswer(): Answer {
  return { wallMs: [], cpuMs: [], text: '' };
}

/** Asks once; what the engine refuses is not asked that way again. */
async function ask(
  store: ColumnStore,
  { sql, parameters }: Question,
  way: (typeof ways)[number],
  answer: Answer,
  isCounted: boolean,
): Promise<void> {
  if (answer.refused !== undefined) return;
  const [startedMs, cpu] = [performance.now(), process.cpuUsage()];
  try {
    const found = await store.query(`${sql}${settings[way]}`, parameters);
    const [endedMs, used] = [performance.now(), process.cpuUsage(cpu)];
    answer.text = JSON.stringify(found);
    if (!isCounted) return;
    answer.wallMs.push(endedMs - startedMs);
    answer.cpuMs.push((used.user + used.system) / 1000);
  } catch (error) {
    answer.refused = error instanceof Error ? error.message : String(error);
  }
}

function print(
  { name, isOfRollups }: Question,
  { rollups, records }: Readonly<Record<(typeof ways)[number], Answer>>,
): void {
  const told = ({ refused, wallMs, cpuMs }: Answer): string =>
    (refused === undefined
      ? `${written(spreadOf(wallMs))}, cpu ${spreadOf(cpuMs).median.toFixed(0)}`
      : `refused: ${refused.slice(0, 60)}`
    ).padEnd(32);
  const isCompared = rollups.refused === undefined && records.refused === undefined;
  const verdict = rollups.text === records.text ? 'equal' : 'NOT EQUAL';
  const source = isOfRollups ? 'rollups' : 'partly records';
  console.log(
    `${name.padEnd(44)} ${source.padEnd(14)} ${told(rollups)} | records alone ${told(records)} | ${isCompared ? verdict : 'not compared'}`,
  );
}
