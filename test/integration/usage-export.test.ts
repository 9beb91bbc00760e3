import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrateColumnStore } from '../../src/drivers/column-store/column-migrator.ts';
import { connectClickHouse } from '../../src/drivers/column-store/column-store.clickhouse.ts';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import { newId } from '../../src/kernel/ids.ts';
import { sumUsd, usd } from '../../src/kernel/money.ts';
import { type WriteOptions, writeBatch } from '../../src/engine/export/export-batch-writer.ts';
import type { InsertBatch } from '../../src/engine/export/insert-batch.ts';
import { renderOutcomeLine } from '../../src/engine/export/message-outcome.ts';
import { bindLines } from '../../src/engine/export/row-text.ts';
import { renderUsageLine, type UsageRecord } from '../../src/engine/export/usage-record.ts';
import { spendRollups } from '../../src/capabilities/costs/spend-rows.ts';
import { ClickHouseHttpServer, serverPassword, serverUser } from '../support/clickhouse-http-server.ts';
import { fillColumnsDirectory, openMigratedColumns } from '../support/migrated-columns.ts';
import { NotedRepairs } from '../support/noted-repairs.ts';
import { rollupTotals } from '../support/spend-rollups.ts';
import { depth } from '../support/test-depth.ts';
import {
  anyMessageOutcome,
  anyUsageRecord,
  expectedOutcomeRow,
  expectedUsageRow,
  usageRecord,
} from '../support/usage-records.ts';

const again = (): WriteOptions => ({ mayHaveBeenTried: true, repairs: new NotedRepairs() });
const newUuid = (): string => newId(new Date());

function usageBatch(records: readonly UsageRecord[], id = newUuid()): InsertBatch {
  return { id, table: 'usage', lines: bindLines(id, records.map(renderUsageLine)), rows: records.length };
}

/** Calls over three months, so that one insert makes three blocks in every table. */
function callsOverMonths(count: number): UsageRecord[] {
  return Array.from({ length: count }, (_, index) =>
    usageRecord({
      recordId: newUuid(),
      sentAt: new Date(Date.UTC(2025, index % 3, 15, 10, index % 60)),
      origin: { team: `team-${index % 2}`, customer: 'acme', feature: 'summaries', batch: 'nightly' },
      costUsd: usd('0.000000000000000001'),
      costByClass: { text_output: usd('0.000000000000000001') },
    }),
  );
}

interface Totals {
  readonly rows: string;
  readonly cost: string;
}

/** Calls and cost in the table's rows and in each of its rollups. */
async function totals(store: ColumnStore): Promise<Record<string, Totals | undefined>> {
  const [usage] = await store.query<Totals>(
    `SELECT sum(calls) AS rows, sum(ifNull(cost_usd, 0)) AS cost FROM ${store.database}.usage SETTINGS optimize_use_projections = 0`,
  );
  const rollups = await rollupTotals(store);
  return {
    usage,
    ...Object.fromEntries(rollups.map(({ projection, calls, cost }) => [projection, { rows: calls, cost }])),
  };
}

const everywhere = (rows: number): Record<string, Totals> => {
  const cost = sumUsd(Array.from({ length: rows }, () => usd('0.000000000000000001'))).toFixed();
  const each = { rows: `${rows}`, cost };
  return { usage: each, [spendRollups.hour.projection]: each, [spendRollups.customers.projection]: each };
};

async function emptyTables(store: ColumnStore): Promise<void> {
  for (const table of ['usage', 'message_outcomes']) {
    await store.command(`TRUNCATE TABLE ${store.database}.${table}`);
  }
}

describe('usage rows in chDB', () => {
  let directory: string;
  let store: ColumnStore;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-usage-'));
    store = await openMigratedColumns({ directory, database: 'millrace' });
  });

  afterAll(async () => {
    await store.close();
    await rm(directory, { recursive: true });
  });

  it('gives every usage record back to the last digit', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(anyUsageRecord, {
          minLength: 1,
          maxLength: 20,
          selector: (record) => record.recordId,
        }),
        async (records) => {
          const batch = usageBatch(records);
          await writeBatch(store, batch, { mayHaveBeenTried: false });
          const rows = await store.query<Record<string, unknown>>(
            `SELECT * EXCEPT (inserted_at) FROM ${store.database}.usage WHERE export_batch = {batch:UUID}`,
            { batch: batch.id },
          );
          const expected = records.map((record) => expectedUsageRow(record, batch.id));
          expect(rows.toSorted(byRecordId)).toEqual(expected.toSorted(byRecordId));
        },
      ),
      { numRuns: depth({ usual: 8, full: 20 }) },
    );
  });

  it('gives every message outcome back', async () => {
    await fc.assert(
      fc.asyncProperty(anyMessageOutcome, async (outcome) => {
        const id = newUuid();
        const lines = bindLines(id, [renderOutcomeLine(outcome)]);
        await writeBatch(
          store,
          { id, table: 'message_outcomes', lines, rows: 1 },
          { mayHaveBeenTried: false },
        );
        const rows = await store.query(
          `SELECT * EXCEPT (inserted_at) FROM ${store.database}.message_outcomes WHERE export_batch = {batch:UUID}`,
          { batch: id },
        );
        expect(rows).toEqual([expectedOutcomeRow(outcome, id)]);
      }),
      { numRuns: depth({ usual: 10, full: 25 }) },
    );
  });

  it('counts a batch once in its rows and rollups, however often it is written', async () => {
    await emptyTables(store);
    const batch = usageBatch(callsOverMonths(30));
    expect(await writeBatch(store, batch, again())).toBe('written');
    expect(await writeBatch(store, batch, again())).toBe('found');
    expect(await writeBatch(store, batch, { mayHaveBeenTried: false })).toBe('written');
    expect(await totals(store)).toEqual(everywhere(30));
  });

  it('completes a batch of which a death stored only some months', async () => {
    await emptyTables(store);
    const records = callsOverMonths(9);
    const batch = usageBatch(records);
    // What a death between two partitions leaves: the first month's part under the batch's own token.
    const january = records.filter((record) => record.sentAt.getUTCMonth() === 0);
    await writeBatch(store, usageBatch(january, batch.id), { mayHaveBeenTried: false });
    expect(await totals(store)).toEqual(everywhere(3));
    expect(await writeBatch(store, batch, again())).toBe('repeated');
    expect(await totals(store)).toEqual(everywhere(9));
  });

  it('inserts nothing when all rows are there, whatever the table remembers', async () => {
    await emptyTables(store);
    const batch = usageBatch(callsOverMonths(3));
    await writeBatch(store, batch, { mayHaveBeenTried: false });
    const forgetful: ColumnStore = {
      kind: store.kind,
      database: store.database,
      query: (sql, parameters) => store.query(sql, parameters),
      command: (sql) => store.command(sql),
      insert: (insert) => store.insert({ ...insert, deduplicationToken: newUuid() }),
      ping: () => store.ping(),
      close: () => Promise.resolve(),
    };
    expect(await writeBatch(forgetful, batch, again())).toBe('found');
    expect(await totals(store)).toEqual(everywhere(3));
  });

  it('completes a batch whose token the table may have forgotten, and doubles nothing', async () => {
    await emptyTables(store);
    const batch = usageBatch(callsOverMonths(6));
    await store.insert({ table: 'usage', lines: batch.lines, deduplicationToken: newUuid() });
    await store.command(
      `ALTER TABLE ${store.database}.usage DELETE WHERE toMonth(ts) = 2 SETTINGS mutations_sync = 2`,
    );
    expect(await totals(store)).toEqual(everywhere(4));
    expect(await writeBatch(store, batch, again())).toBe('repeated');
    expect(await totals(store)).toEqual(everywhere(6));
  });

  it('is loud when rows are there twice, or are not those of the batch', async () => {
    await emptyTables(store);
    const records = callsOverMonths(4);
    const [first = usageRecord({ recordId: newUuid() })] = records;
    const batch = usageBatch(records);
    const loud = { code: 'MILLRACE_EXPORT_INCONSISTENT', retryable: false };
    const put = (some: readonly UsageRecord[]): Promise<void> =>
      store.insert({
        table: 'usage',
        lines: usageBatch(some, batch.id).lines,
        deduplicationToken: newUuid(),
      });
    await put([first]);
    await put([first]);
    await expect(writeBatch(store, batch, again())).rejects.toMatchObject(loud);
    await emptyTables(store);
    await put([usageRecord({ recordId: newUuid() })]);
    await expect(writeBatch(store, batch, again())).rejects.toMatchObject(loud);
    await put(records);
    await expect(writeBatch(store, batch, again())).rejects.toMatchObject(loud);
    expect((await totals(store))['usage']?.rows).toBe('5');
  });

  it('finds a batch by its index', async () => {
    await emptyTables(store);
    for (let index = 0; index < 5; index += 1) {
      await writeBatch(store, usageBatch(callsOverMonths(3)), { mayHaveBeenTried: false });
    }
    const wanted = usageBatch(callsOverMonths(3));
    await writeBatch(store, wanted, { mayHaveBeenTried: false });
    const plan = await store.query<{ explain: string }>(
      `EXPLAIN indexes = 1 SELECT count() FROM ${store.database}.usage WHERE export_batch = {batch:UUID}`,
      { batch: wanted.id },
    );
    expect(plan.map((row) => row.explain).join('\n')).toContain('by_export_batch');
  });
});

describe('export to a ClickHouse server that fails', () => {
  let directory: string;
  let server: ClickHouseHttpServer;
  let store: ColumnStore;
  const unavailable = { code: 'MILLRACE_COLUMN_STORE_UNAVAILABLE', retryable: true };

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-usage-'));
    await fillColumnsDirectory(directory);
    server = new ClickHouseHttpServer(directory);
    await server.start();
    store = connect(20_000);
    await migrateColumnStore(store);
  });

  const connect = (requestTimeoutMs: number): ColumnStore =>
    connectClickHouse({
      url: server.url,
      user: serverUser,
      password: serverPassword,
      database: 'millrace',
      requestTimeoutMs,
      maxConnections: 2,
    });

  afterAll(async () => {
    await store.close();
    await server.stop();
    await rm(directory, { recursive: true });
  });

  it.each([
    { kind: 'die-before', second: 'written' },
    { kind: 'die-after', second: 'found' },
  ] as const)('counts a batch once when the server $kind its insert', async ({ kind, second }) => {
    await emptyTables(store);
    const batch = usageBatch(callsOverMonths(30));
    await server.arm({ statement: 'INSERT INTO millrace.usage ', kind });
    await expect(writeBatch(store, batch, { mayHaveBeenTried: false })).rejects.toMatchObject(unavailable);
    await server.died();
    await expect(writeBatch(store, batch, again())).rejects.toMatchObject(unavailable);
    await server.start();
    expect(await writeBatch(store, batch, again())).toBe(second);
    expect(await totals(store)).toEqual(everywhere(30));
  });

  it('counts a batch once when its insert was made but the answer timed out', async () => {
    await emptyTables(store);
    const batch = usageBatch(callsOverMonths(30));
    await server.arm({ statement: 'INSERT INTO millrace.usage ', kind: 'hang-after' });
    const impatient = connect(2000);
    await expect(writeBatch(impatient, batch, { mayHaveBeenTried: false })).rejects.toMatchObject(
      unavailable,
    );
    await impatient.close();
    expect(await writeBatch(store, batch, again())).toBe('found');
    expect(await totals(store)).toEqual(everywhere(30));
  });

  it('counts every batch once through kills at random moments', async () => {
    await emptyTables(store);
    const killed = Array.from({ length: 6 }, () => usageBatch(callsOverMonths(300)));
    for (const [index, batch] of killed.entries()) {
      const writing = writeBatch(store, batch, { mayHaveBeenTried: false }).catch((error: unknown) => error);
      await killAfterMs(server, index * 25);
      await writing;
      await server.start();
      expect(await writeBatch(store, batch, again())).toMatch(/^(?:written|repeated|repaired|found)$/);
    }
    expect(await totals(store)).toEqual(everywhere(6 * 300));
  }, 240_000);
});

// The moment of the kill is the point of the test; nothing waits for this timer to bring a condition about.
function killAfterMs(server: ClickHouseHttpServer, delayMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    setTimeout(() => {
      server.kill().then(resolve, reject);
    }, delayMs);
  });
}

function byRecordId(left: Record<string, unknown>, right: Record<string, unknown>): number {
  return String(left['record_id']) < String(right['record_id']) ? -1 : 1;
}
