import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrateColumnStore } from '../src/drivers/column-store/column-migrator.ts';
import { openChdb } from '../src/drivers/column-store/column-store.clickhouse.ts';
import { migrate } from '../src/drivers/sql-database/migrator.ts';
import { PostgresSqlDatabase } from '../src/drivers/sql-database/sql-database.postgres.ts';
import { systemClock } from '../src/kernel/clock.ts';
import { newId } from '../src/kernel/ids.ts';
import { usd } from '../src/kernel/money.ts';
import { ExportLedger } from '../src/engine/export/export-ledger.ts';
import { UsageExporter } from '../src/engine/export/usage-exporter.ts';
import { metricCatalogue } from '../src/host/metric-catalogue.ts';
import { createMetrics } from '../src/telemetry/metrics.ts';
import { silentLogger } from '../src/telemetry/silent-logger.ts';
import { countsOfCall, renderUsageLine } from '../src/engine/export/usage-record.ts';
import { PostgresServer } from '../test/support/postgres-server.ts';
import { benchOptions } from './bench-options.ts';
import { rotated, spreadOf, written } from './statistics.ts';

const help = `node bench/usage.ts [--rows 40000] [--batch 20000] [--rounds 3]

Rows a second through the exporter (ledger outbox ─► bound batch ─► ClickHouse, exactly once), beside raw inserts of
such rows by @clickhouse/client, in the same run and on the same engine: into the table with its projections, and into a
copy of the table that has none.
`;

const flags = benchOptions(help, {
  rows: { type: 'string', default: '40000' },
  batch: { type: 'string', default: '20000' },
  rounds: { type: 'string', default: '3' },
});
const rows = Number(flags.rows);
const batchRows = Number(flags.batch);

/** Lines as the metered model renders them. */
function makeLines(count: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    const now = new Date();
    const id = newId(now);
    return renderUsageLine({
      recordId: id,
      recordKind: 'call',
      callId: id,
      sentAt: now,
      recordedAt: now,
      origin: {
        team: `team-${index % 12}`,
        customer: `customer-${index % 300}`,
        feature: `feature-${index % 5}`,
        batch: 'bench',
      },
      pipeline: 'documents',
      stage: index % 2 === 0 ? 'summarise' : 'classify',
      owner: 'platform',
      messageId: id,
      rootId: id,
      item: `document-${index}`,
      step: 'summary',
      attempt: 1,
      traceId: 'a'.repeat(32),
      provider: 'openai',
      model: 'gpt-5-mini',
      answeredModel: 'gpt-5-mini-2025-08-07',
      operation: 'chat',
      tier: 'default',
      requestKind: 'single',
      providerRequestId: `req_${index}`,
      outcome: 'ok',
      settlement: 'reported',
      counts: countsOfCall('reported', true),
      tokens: { uncached_input: 900 + (index % 100), cache_read: 128, text_output: 90, reasoning: 64 },
      costByClass: {
        uncached_input: usd('0.000225'),
        cache_read: usd('0.0000032'),
        text_output: usd('0.00018'),
      },
      costUsd: usd('0.0004082'),
      durationMs: 800,
      priceReference: 'genai-prices@0.1.8:openai/gpt-5-mini@always',
      priceCatalogue: 'genai-prices@0.1.8',
      rawUsage: '{"input_tokens":1028,"output_tokens":154}',
    });
  });
}

const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-usage-'));
const postgres = await PostgresServer.start();
const database = await PostgresSqlDatabase.open({
  connectionString: await postgres.createDatabase('bench'),
  poolSize: 4,
  statementTimeoutMs: 60_000,
  applicationName: 'bench',
});
const store = await openChdb({ directory, database: 'millrace' });
try {
  await migrate(database);
  await migrateColumnStore(store);
  const ledger = new ExportLedger(database);
  const metrics = createMetrics(metricCatalogue);
  const exporter = new UsageExporter({
    ledger,
    store,
    clock: systemClock,
    logger: silentLogger,
    metrics,
    batchRows,
  });
  const bareTable = 'usage_without_projections';
  await store.command(`CREATE TABLE millrace.${bareTable} AS millrace.usage`);
  const projections = await store.query<{ readonly name: string }>(
    "SELECT name FROM system.projections WHERE database = 'millrace' AND table = 'usage'",
  );
  for (const { name } of projections)
    await store.command(`ALTER TABLE millrace.${bareTable} DROP PROJECTION ${name}`);
  const insertRaw = (table: string): Promise<number> => {
    const lines = makeLines(rows);
    return rateOf(() => insertInto(table, lines));
  };
  const ways = {
    bare: () => insertRaw(bareTable),
    table: () => insertRaw('usage'),
    exporter: async () => {
      await fillOutbox(makeLines(rows));
      return rateOf(() => exporter.drain());
    },
  };
  const measured = { bare: [] as number[], table: [] as number[], exporter: [] as number[] };
  for (let round = 0; round <= Number(flags.rounds); round += 1) {
    // Who goes first changes; the first round warms all up and does not count.
    const order = rotated(['bare', 'table', 'exporter'] as const, round);
    const rates = { bare: 0, table: 0, exporter: 0 };
    for (const way of order) rates[way] = await ways[way]();
    if (round === 0) continue;
    for (const way of order) measured[way].push(rates[way]);
    console.log(
      `round ${round}: raw insert without projections ${rates.bare.toFixed(0)} rows/s, with them ${rates.table.toFixed(0)} rows/s; exporter ${rates.exporter.toFixed(0)} rows/s`,
    );
  }
  const stored = await store.query<{ readonly count: string }>(
    `SELECT count() AS count FROM millrace.usage UNION ALL SELECT count() FROM millrace.${bareTable}`,
  );
  const inserted = rows * (Number(flags.rounds) + 1);
  const counts = stored.map(({ count }) => Number(count)).toSorted((left, right) => left - right);
  if (counts[0] !== inserted || counts[1] !== 2 * inserted)
    throw new Error(`${counts.join(' and ')} rows are stored, not ${inserted} and ${2 * inserted}`);
  const over = (way: readonly number[], base: readonly number[]): string =>
    written(spreadOf(way.map((rate, index) => rate / (base[index] ?? Number.NaN))), 3);
  console.log(
    `medians (least to most) of ${flags.rounds} rounds of ${rows} rows in batches of ${batchRows}; ${projections.length} projections; ${cpus().length} cores`,
  );
  console.log(`raw insert, table without projections: ${written(spreadOf(measured.bare))} rows/s`);
  console.log(
    `raw insert, table with projections:    ${written(spreadOf(measured.table))} rows/s; of that without ${over(measured.table, measured.bare)}`,
  );
  console.log(
    `exporter:                              ${written(spreadOf(measured.exporter))} rows/s; of the raw insert without projections ${over(measured.exporter, measured.bare)}, with them ${over(measured.exporter, measured.table)}`,
  );
} finally {
  await store.close();
  await database.close();
  await postgres.stop();
  rmSync(directory, { recursive: true, force: true });
}

/** Rows a second of a piece of work that brings all of them in. */
async function rateOf(work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return rows / ((performance.now() - startedMs) / 1000);
}

async function insertInto(table: string, lines: readonly string[]): Promise<void> {
  for (let from = 0; from < lines.length; from += batchRows) {
    const id = newId(new Date());
    const bound = lines
      .slice(from, from + batchRows)
      .map((line) => `{"export_batch":"${id}",${line.slice(1)}`);
    await store.insert({ table, lines: `${bound.join('\n')}\n`, deduplicationToken: id });
  }
}

async function fillOutbox(lines: readonly string[]): Promise<void> {
  for (let from = 0; from < lines.length; from += 5000) {
    await database.query(
      {
        name: 'bench.fill',
        text: "insert into millrace.outbox (target, line) select 'usage', line from unnest($1::text[]) line",
      },
      [lines.slice(from, from + 5000)],
    );
  }
}
