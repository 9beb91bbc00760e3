import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import type { CostQuery } from '../../src/capabilities/costs/cost-query.ts';
import { CostReports } from '../../src/capabilities/costs/cost-reports.ts';
import { makeStatement } from '../../src/capabilities/costs/statements/statements.ts';
import { percentile } from '../statistics.ts';
import { quarterDays, quarterStart } from './fill.ts';

/*
 * What finance asks most, over the last 30 days of a quarter: p95 from rollups, beside the median of the same question read from the
 * records alone, and whether the answers are equal.
 */

const dayMs = 86_400_000;
const now = new Date(quarterStart + quarterDays * dayMs);
const period = { from: new Date(now.getTime() - 30 * dayMs), to: now };

interface QuarterQuestion {
  readonly name: string;
  readonly aimMs: number;
  readonly ask: (reports: CostReports) => Promise<unknown>;
}

const report = (name: string, aimMs: number, query: Omit<CostQuery, 'from' | 'to'>): QuarterQuestion => ({
  name,
  aimMs,
  ask: (reports) => reports.query({ ...period, ...query }, {}),
});

const questions: readonly QuarterQuestion[] = [
  report('cost by team', 50, { groupBy: ['team'] }),
  report('cost by customer within a team', 150, {
    groupBy: ['customer'],
    filters: { team: ['team-3'] },
    messages: 'none',
  }),
  report('day × feature × model', 100, {
    groupBy: ['day', 'feature', 'model'],
    order: { by: 'group', direction: 'asc' },
  }),
  ...['team-3', undefined].map((team): QuarterQuestion => ({
    name: `a month's statement, ${team === undefined ? 'all teams' : 'one team'}`,
    aimMs: 500,
    ask: (reports) =>
      makeStatement(
        reports,
        { month: '2026-09-01', timeZone: 'UTC', ...(team === undefined ? {} : { team }) },
        { now, viewer: {} },
      ),
  })),
];

/** Asks each question `rounds` times from rollups and three times from the records, and prints a line for each. */
export async function measureQuarter(store: ColumnStore, rounds: number): Promise<void> {
  const rollups = new CostReports({ store });
  const records = new CostReports({ store: withoutProjections(store) });
  for (const { name, aimMs, ask } of questions) {
    const [fast, slow] = [await timed(rounds, () => ask(rollups)), await timed(3, () => ask(records))];
    const p95 = percentile(fast.wallMs, 0.95);
    const [typical, ofRecords] = [percentile(fast.wallMs, 0.5), percentile(slow.wallMs, 0.5)];
    const verdict = fast.text === slow.text ? 'equal' : 'NOT EQUAL';
    console.log(
      `${name.padEnd(36)} p95 ${p95.toFixed(0).padStart(5)} ms (aim ${aimMs}), median ${typical.toFixed(0).padStart(5)} | records alone ${ofRecords.toFixed(0).padStart(6)} ms, ${(ofRecords / typical).toFixed(0)} times | ${verdict}`,
    );
  }
  const [sizes] = await store.query<{ records: string; rollups: string }>(
    `SELECT (SELECT sum(data_compressed_bytes) FROM system.parts WHERE database = '${store.database}' AND table = 'usage' AND active) AS records,
       (SELECT sum(data_compressed_bytes) FROM system.projection_parts WHERE database = '${store.database}' AND table = 'usage' AND active) AS rollups`,
  );
  const [ofRecords, ofRollups] = [Number(sizes?.records), Number(sizes?.rollups)];
  const perRollup = await store.query<{ name: string; bytes: string; rows: string }>(
    `SELECT name, sum(data_compressed_bytes) AS bytes, sum(rows) AS rows FROM system.projection_parts
     WHERE database = '${store.database}' AND table = 'usage' AND active GROUP BY name ORDER BY name`,
  );
  console.log(
    `rollups ${megabytes(ofRollups)} beside records of ${megabytes(ofRecords)}: ${((100 * ofRollups) / ofRecords).toFixed(1)} % (aim 10)`,
  );
  for (const { name, bytes, rows } of perRollup)
    console.log(`  ${name.padEnd(20)} ${megabytes(Number(bytes))}, ${rows} rows`);
}

const megabytes = (bytes: number): string => `${(bytes / 1_000_000).toFixed(0)} MB`;

/** The same store, whose engine reads no projections. */
function withoutProjections(store: ColumnStore): ColumnStore {
  return new Proxy(store, {
    get: (target, name) =>
      name === 'query'
        ? (sql: string, parameters: Readonly<Record<string, unknown>>) =>
            target.query(
              sql.includes('SETTINGS')
                ? sql.replace('SETTINGS', 'SETTINGS optimize_use_projections = 0,')
                : `${sql} SETTINGS optimize_use_projections = 0`,
              parameters,
            )
        : (Reflect.get(target, name, target) as unknown),
  });
}

/** One round more than is counted, to warm up. */
async function timed(
  rounds: number,
  ask: () => Promise<unknown>,
): Promise<{ readonly wallMs: readonly number[]; readonly text: string }> {
  const wallMs: number[] = [];
  let text = '';
  for (let round = 0; round <= rounds; round += 1) {
    const startedMs = performance.now();
    const found = await ask();
    if (round > 0) wallMs.push(performance.now() - startedMs);
    text = JSON.stringify(found, (_key, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    );
  }
  return { wallMs, text };
}
