/*
 * Rows a second through the exporter (ledger outbox ─► bound batch ─► ClickHouse, exactly once), beside a raw insert of
 * the same rows by @clickhouse/client, in the same run and on the same engine.
 *
 *   node bench/usage.ts [--rows 40000] [--batch 20000] [--rounds 3]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { migrateColumnStore } from '../src/drivers/column-store/column-migrator.ts';
import { openChdb } from '../src/drivers/column-store/column-store.clickhouse.ts';
import { migrate } from '../src/drivers/sql-database/migrator.ts';
import { PostgresSqlDatabase } from '../src/drivers/sql-database/sql-database.postgres.ts';
import { systemClock } from '../src/kernel/clock.ts';
import { newId } from '../src/kernel/ids.ts';
import { usd } from '../src/kernel/money.ts';
import { ExportLedger } from '../src/ledger/export-ledger.ts';
import { UsageExporter } from '../src/pipeline/usage-exporter.ts';
import { metricCatalogue } from '../src/telemetry/metric-catalogue.ts';
import { createMetrics } from '../src/telemetry/metrics.ts';
import { silentLogger } from '../src/telemetry/silent-logger.ts';
import { countsOfCall, renderUsageLine } from '../src/usage/usage-record.ts';
import { PostgresServer } from '../test/support/postgres-server.ts';
import { median } from './statistics.ts';

const { values: flags } = parseArgs({
  options: {
    rows: { type: 'string', default: '40000' },
    batch: { type: 'string', default: '20000' },
    rounds: { type: 'string', default: '3' },
  },
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
  // The same table and views, so that the raw insert does the same work in the engine.
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
  const raw: number[] = [];
  const exported: number[] = [];
  for (let round = 0; round <= Number(flags.rounds); round += 1) {
    const rawLines = makeLines(rows);
    let startedMs = performance.now();
    for (let from = 0; from < rows; from += batchRows) {
      const id = newId(new Date());
      const lines = rawLines
        .slice(from, from + batchRows)
        .map((line) => `{"export_batch":"${id}",${line.slice(1)}`);
      await store.insert({ table: 'usage', lines: `${lines.join('\n')}\n`, deduplicationToken: id });
    }
    const rawRate = rows / ((performance.now() - startedMs) / 1000);
    const lines = makeLines(rows);
    for (let from = 0; from < rows; from += 5000) {
      await database.query(
        {
          name: 'bench.fill',
          text: "insert into millrace.outbox (target, line) select 'usage', line from unnest($1::text[]) line",
        },
        [lines.slice(from, from + 5000)],
      );
    }
    startedMs = performance.now();
    await exporter.drain();
    const rate = rows / ((performance.now() - startedMs) / 1000);
    // The first round warms both up.
    if (round === 0) continue;
    raw.push(rawRate);
    exported.push(rate);
    console.log(
      `round ${round}: raw insert ${rawRate.toFixed(0)} rows/s; exporter ${rate.toFixed(0)} rows/s`,
    );
  }
  console.log(`medians of ${flags.rounds} rounds of ${rows} rows in batches of ${batchRows}`);
  console.log(`raw @clickhouse/client insert: ${median(raw).toFixed(0)} rows/s`);
  console.log(
    `exporter:                      ${median(exported).toFixed(0)} rows/s (${(median(exported) / median(raw)).toFixed(3)} of raw)`,
  );
} finally {
  await store.close();
  await database.close();
  await postgres.stop();
  rmSync(directory, { recursive: true, force: true });
}
