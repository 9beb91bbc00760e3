import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrateColumnStore } from '../../src/drivers/column-store/column-migrator.ts';
import { connectClickHouse } from '../../src/drivers/column-store/column-store.clickhouse.ts';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import { openMigratedPglite } from '../../src/drivers/sql-database/migrated-pglite.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { type ExportResult, writeBatch } from '../../src/engine/export/export-batch-writer.ts';
import { ExportLedger, type ExportTarget, exportTargets } from '../../src/engine/export/export-ledger.ts';
import type { InsertBatch } from '../../src/engine/export/insert-batch.ts';
import { renderOutcomeLine } from '../../src/engine/export/message-outcome.ts';
import { bindLines } from '../../src/engine/export/row-text.ts';
import { UsageExporter } from '../../src/engine/export/usage-exporter.ts';
import { renderUsageLine } from '../../src/engine/export/usage-record.ts';
import { bareEngineCatalogue } from '../../src/engine/metrics/engine-metrics.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId, type Uuid } from '../../src/kernel/ids.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { silentLogger } from '../../src/telemetry/silent-logger.ts';
import { ClickHouseHttpServer, serverPassword, serverUser } from '../support/clickhouse-http-server.ts';
import { fillColumnsDirectory } from '../support/migrated-columns.ts';
import { rollupTotals } from '../support/spend-rollups.ts';
import { usageRecord } from '../support/usage-records.ts';

/*
 * A server that dies between noting a block's token and having its part leaves a token without rows. The state is made as that death
 * leaves it: the part's directory is gone when the server starts again, and the table's log has the token.
 */

const newUuid = (): Uuid => newId(new Date());
const monthOf = { '202501': '2025-01', '202502': '2025-02' } as const;
type Month = keyof typeof monthOf;
const months: Month[] = ['202501', '202502'];
const rows = 6;

const renderRow = {
  usage: (sentAt: Date): string => renderUsageLine(usageRecord({ recordId: newUuid(), sentAt })),
  message_outcomes: (endedAt: Date): string =>
    renderOutcomeLine({
      messageId: newUuid(),
      rootId: newUuid(),
      endedAt,
      origin: { team: 'search', customer: 'acme', feature: 'summaries' },
      pipeline: 'documents',
      stage: 'summarise',
      owner: 'platform',
      outcome: 'completed',
      attempts: 1,
      deliveries: 1,
      durationMs: 5,
      waitMs: 5,
      ageMs: 10,
    }),
} as const satisfies Record<ExportTarget, (time: Date) => string>;

let directory: string;
let server: ClickHouseHttpServer;
let store: ColumnStore;
let database: SqlDatabase;
let ledger: ExportLedger;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-repairs-'));
  await fillColumnsDirectory(directory);
  server = new ClickHouseHttpServer(directory);
  await server.start();
  store = connectClickHouse({
    url: server.url,
    user: serverUser,
    password: serverPassword,
    database: 'millrace',
    requestTimeoutMs: 20_000,
    maxConnections: 6,
  });
  await migrateColumnStore(store);
  database = await openMigratedPglite();
  ledger = new ExportLedger(database);
});

afterAll(async () => {
  await store.close();
  await server.stop();
  await database.close();
  await rm(directory, { recursive: true });
});

/** A batch of two months that the ledger has bound. */
async function bound(table: ExportTarget): Promise<InsertBatch> {
  const lines = Array.from({ length: rows }, (_, index) =>
    renderRow[table](new Date(Date.UTC(2025, index % 2, 15, 10, index))),
  );
  await database.query(
    {
      name: 'test.fill_outbox',
      text: `insert into millrace.outbox (target, line) select $1, unnest($2::text[])`,
    },
    [table, lines],
  );
  const batch = await ledger.bind(newUuid(), table, rows);
  const { id, lines: inOrder } = batch ?? { id: '', lines: [] };
  return { id, table, rows, lines: bindLines(id, inOrder) };
}

/** As the exporter writes a batch that another turn has bound. */
async function writeAgain(batch: InsertBatch): Promise<ExportResult> {
  const read = await ledger.read({ id: batch.id, target: batch.table });
  return writeBatch(store, batch, {
    mayHaveBeenTried: true,
    repairs: { begun: read?.repairs ?? -1, begin: (number) => ledger.beginRepair(batch.id, number) },
  });
}

const writeFirst = (batch: InsertBatch): Promise<ExportResult> =>
  writeBatch(store, batch, { mayHaveBeenTried: false });

/** Takes the newest part of each month from the table, as a death before it was there. */
async function loseParts(table: ExportTarget, lost: readonly string[]): Promise<void> {
  const parts = await store.query<{ path: string }>(
    `SELECT argMax(path, max_block_number) AS path FROM system.parts
     WHERE database = 'millrace' AND table = {table:String} AND active AND has({lost:Array(String)}, partition)
     GROUP BY partition`,
    { table, lost },
  );
  expect(parts).toHaveLength(lost.length);
  await server.kill();
  for (const { path } of parts) await rm(path, { recursive: true });
  await server.start();
}

/** Rows of the batch, and how many of its records they are. */
async function counted({ id, table }: InsertBatch): Promise<readonly [rows: number, records: number]> {
  const key = table === 'usage' ? 'record_id' : 'message_id';
  const [found] = await store.query<{ rows: string; records: string }>(
    `SELECT count() AS rows, uniqExact(${key}) AS records FROM millrace.${table} WHERE export_batch = {id:UUID}`,
    { id },
  );
  return [Number(found?.rows), Number(found?.records)];
}

async function empty(): Promise<void> {
  await database.execute(`delete from millrace.outbox; delete from millrace.export_batches`);
  for (const table of exportTargets) await store.command(`TRUNCATE TABLE millrace.${table}`);
}

describe.each(exportTargets)('a batch of %s whose token is known and whose rows are not there', (table) => {
  it.each<{ lost: Month[] }>([{ lost: ['202501'] }, { lost: ['202502'] }, { lost: months }])(
    'gets the rows of $lost once',
    async ({ lost }) => {
      await empty();
      const batch = await bound(table);
      await writeFirst(batch);
      await loseParts(table, lost);
      expect(await counted(batch)).not.toEqual([rows, rows]);
      expect(await writeAgain(batch)).toBe('repaired');
      expect(await writeAgain(batch)).toBe('found');
      expect(await counted(batch)).toEqual([rows, rows]);
      // What processes send that were slow, under the token of each try.
      await writeFirst(batch);
      const isLost = (line: string): boolean =>
        lost.some((month) => line.includes(`"ts":"${monthOf[month]}`));
      const late = `${batch.lines.split('\n').filter(isLost).join('\n')}\n`;
      await store.insert({ table, lines: late, deduplicationToken: `${batch.id}:1` });
      expect(await counted(batch)).toEqual([rows, rows]);
    },
  );

  it('gets them when repairs die likewise, again and again', async () => {
    await empty();
    const batch = await bound(table);
    await writeFirst(batch);
    // The second repair had nothing to bring for January, so its token serves there when January's rows are gone.
    const deaths = [
      { lost: months, end: 'repaired' },
      { lost: ['202502'], end: 'repaired' },
      { lost: ['202501'], end: 'repeated' },
      { lost: months, end: 'repaired' },
    ];
    for (const { lost, end } of deaths) {
      await loseParts(table, lost);
      expect(await writeAgain(batch)).toBe(end);
      expect(await counted(batch)).toEqual([rows, rows]);
    }
    expect((await ledger.read({ id: batch.id, target: table }))?.repairs).toBe(3);
    await writeFirst(batch);
    expect(await counted(batch)).toEqual([rows, rows]);
  });

  it.each([
    { kind: 'die-before', next: 'written' },
    { kind: 'die-after', next: 'found' },
  ] as const)('gets them when the server $kind the insert of the repair', async ({ kind, next }) => {
    await empty();
    const batch = await bound(table);
    await writeFirst(batch);
    await loseParts(table, months);
    const died = writeBatch(store, batch, {
      mayHaveBeenTried: true,
      repairs: {
        begun: 0,
        begin: async (number) => {
          const isBegun = await ledger.beginRepair(batch.id, number);
          await server.arm({ statement: `INSERT INTO millrace.${table} `, kind });
          return isBegun;
        },
      },
    });
    await expect(died).rejects.toMatchObject({ code: 'MILLRACE_COLUMN_STORE_UNAVAILABLE' });
    await server.died();
    await server.start();
    expect(await writeAgain(batch)).toBe(next);
    expect(await counted(batch)).toEqual([rows, rows]);
  });

  it('gets them once from processes that repair it at the same time', async () => {
    await empty();
    const batch = await bound(table);
    await writeFirst(batch);
    await loseParts(table, months);
    const results = await Promise.all(Array.from({ length: 5 }, () => writeAgain(batch)));
    expect(results.filter((result) => result === 'repaired')).toHaveLength(1);
    expect(await writeAgain(batch)).toBe('found');
    expect(await counted(batch)).toEqual([rows, rows]);
  });

  it('waits while an earlier insert of it is running', async () => {
    await empty();
    const batch = await bound(table);
    await writeFirst(batch);
    await loseParts(table, months);
    const running = store.command(
      `INSERT INTO millrace.${table} (export_batch, ts) SETTINGS insert_deduplication_token = '${batch.id}', max_block_size = 1
       SELECT '${batch.id}', '2025-01-15 10:00:00' FROM numbers(1000000) WHERE sleepEachRow(0.05) = 0`,
    );
    const ended = running.catch((error: unknown) => error);
    const isThere = `query_kind = 'Insert' AND position(query, '${batch.id}') > 0`;
    const countRunning = () => store.query(`SELECT 1 FROM system.processes WHERE ${isThere}`);
    await expect.poll(countRunning).toHaveLength(1);
    expect(await writeAgain(batch)).toBe('at_work');
    expect(await counted(batch)).toEqual([0, 0]);
    await store.command(`KILL QUERY WHERE ${isThere}`);
    expect(await ended).toMatchObject({ code: 'MILLRACE_COLUMN_STORE_UNAVAILABLE' });
    await expect.poll(countRunning).toHaveLength(0);
    expect((await ledger.read({ id: batch.id, target: table }))?.repairs).toBe(0);
    expect(await writeAgain(batch)).toBe('repaired');
    expect(await counted(batch)).toEqual([rows, rows]);
  });
});

it('an exporter repairs what it finds open, counts it, and its rollups have each row once', async () => {
  await empty();
  const batches = [await bound('usage'), await bound('message_outcomes')];
  for (const batch of batches) {
    await writeFirst(batch);
    await loseParts(batch.table, ['202502']);
  }
  const metrics = createMetrics(bareEngineCatalogue);
  const exporter = new UsageExporter({ ledger, store, clock: systemClock, logger: silentLogger, metrics });
  await exporter.drain();
  for (const batch of batches) expect(await counted(batch)).toEqual([rows, rows]);
  expect(await ledger.backlog()).toMatchObject({ records: 0, openBatches: 0 });
  const { body } = await metrics.render();
  for (const table of exportTargets) {
    expect(body).toContain(`export_batches_total{table="${table}",result="repaired"} 1`);
  }
  for (const { calls } of await rollupTotals(store)) expect(calls).toBe(`${rows}`);
});
