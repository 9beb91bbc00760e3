import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseCostParameters } from '../../src/capabilities/costs/cost-parameters.ts';
import { renderCostCsv } from '../../src/capabilities/costs/cost-csv.ts';
import { costReportSchema } from '../../src/capabilities/costs/cost-report-document.ts';
import { CostReports } from '../../src/capabilities/costs/cost-reports.ts';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import { usd } from '../../src/kernel/money.ts';
import { bindLines } from '../../src/engine/export/row-text.ts';
import { readSpendHistory } from '../../src/capabilities/costs/spend-baseline-query.ts';
import { runCostQuery } from '../../src/capabilities/costs/usage-queries.ts';
import { countsOfCall, renderUsageLine } from '../../src/engine/export/usage-record.ts';
import { openMigratedColumns } from '../support/migrated-columns.ts';
import { usageRecord } from '../support/usage-records.ts';

/* Records as absurd as their columns hold, from before such reports were refused: every report still answers, exactly. */

const rows = 1200;
const tokens = BigInt(Number.MAX_SAFE_INTEGER) * BigInt(rows);
const sentAt = new Date('2026-03-01T10:00:00Z');
/** The largest amount that the column holds. */
const most = '99999999999999999999.999999999999999999';
const total = '119999999999999999999999.9999999999999988';

let directory: string;
let store: ColumnStore;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-absurd-'));
  store = await openMigratedColumns({ directory, database: 'millrace_test' });
  const exportBatch = randomUUID();
  const lines = Array.from({ length: rows }, () =>
    renderUsageLine(
      usageRecord({
        recordId: randomUUID(),
        sentAt,
        recordedAt: sentAt,
        tokens: { uncached_input: Number.MAX_SAFE_INTEGER, text_output: Number.MAX_SAFE_INTEGER },
        costUsd: usd(most),
        upperBoundUsd: usd(most),
        costByClass: {},
        settlement: 'estimated',
        counts: countsOfCall('estimated', true, true),
      }),
    ),
  );
  await store.insert({
    table: 'usage',
    lines: bindLines(exportBatch, lines),
    deduplicationToken: exportBatch,
  });
});
afterAll(async () => {
  await store.close();
  await rm(directory, { recursive: true, force: true });
});

describe('absurd records', () => {
  it('are summed exactly in a cost report and its CSV', async () => {
    const request = parseCostParameters(
      { from: '2026-03-01', to: '2026-03-02', group_by: 'team' },
      new Date('2026-03-02T00:00:00Z'),
    );
    const report = await new CostReports({ store }).report(request, {});
    expect(costReportSchema.parse(report).totals).toMatchObject({
      costUsd: total,
      openUpperBoundUsd: total,
      inputTokens: tokens.toString(),
      outputTokens: tokens.toString(),
      calls: rows,
      suspectCalls: rows,
    });
    expect(renderCostCsv(report)).toContain(`${total},${rows},0,${tokens},${tokens},`);
  });

  it('do not break the rollups or the baseline of spend', async () => {
    const hourly = await runCostQuery(store, {
      groupBy: ['team'],
      from: new Date('2026-03-01T00:00:00Z'),
      to: new Date('2026-03-02T00:00:00Z'),
      messages: 'none',
    });
    expect(hourly.total.calls).toBe(rows);
    const history = await readSpendHistory(store, {
      now: new Date('2026-03-01T10:30:00Z'),
      days: 7,
      hourFloorUsd: usd('1'),
      dayFloorUsd: usd('1'),
    });
    expect(history[0]?.hourUsd.toFixed()).toBe(total);
  });
});
