import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FocusRow } from '../../src/capabilities/costs/focus/focus-columns.ts';
import { FocusExports } from '../../src/capabilities/costs/focus/focus-export.ts';
import { PeriodLedger } from '../../src/capabilities/costs/periods/period-ledger.ts';
import { PeriodService } from '../../src/capabilities/costs/periods/period-service.ts';
import { makeStatement } from '../../src/capabilities/costs/statements/statements.ts';
import { CostReports } from '../../src/capabilities/costs/cost-reports.ts';
import type { CostGroupField } from '../../src/capabilities/costs/cost-query.ts';
import { runCostQuery } from '../../src/capabilities/costs/usage-queries.ts';
import type { ColumnStore } from '../../src/drivers/column-store/column-store.ts';
import { openMigratedPglite } from '../../src/drivers/sql-database/migrated-pglite.ts';
import type { SqlDatabase } from '../../src/drivers/sql-database/sql-database.ts';
import { ExportLedger } from '../../src/engine/export/export-ledger.ts';
import { bindLines } from '../../src/engine/export/row-text.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/ids.ts';
import { formatUsd, sumUsd, usd, zeroUsd } from '../../src/kernel/money.ts';
import { rowFaults } from '../support/focus-rules.ts';
import { LedgerHarness } from '../support/ledger-fixture.ts';
import { openMigratedColumns } from '../support/migrated-columns.ts';
import {
  anyRates,
  anyUsedCall,
  bookOf,
  costAt,
  partColumns,
  repriceAll,
  settleCall,
} from '../support/repriced-calls.ts';
import { depth } from '../support/test-depth.ts';

/*
 * Whatever was used and however prices change afterwards: what reaches the column store adds up to what the calls cost by the last prices,
 * in reports by any fields, in FOCUS exports, and class by class.
 */

let directory: string;
let store: ColumnStore;
let database: SqlDatabase;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-repricing-'));
  store = await openMigratedColumns({ directory, database: 'millrace_repricing' });
  database = await openMigratedPglite();
});
afterAll(async () => {
  await database.close();
  await store.close();
  await rm(directory, { recursive: true, force: true });
});

/** Brings what waits into the column store, as the maintenance role does. */
async function exportAll(): Promise<void> {
  const exports = new ExportLedger(database);
  const batch = await exports.bind(newId(new Date()), 'usage', 20_000);
  if (batch === undefined) return;
  await store.insert({
    table: 'usage',
    lines: bindLines(batch.id, batch.lines),
    deduplicationToken: batch.id,
  });
  await exports.markExported(batch.id);
}

const groupings: readonly (readonly CostGroupField[])[] = [
  [],
  ['team'],
  ['model', 'team'],
  ['customer'],
  ['feature', 'customer', 'team'],
  ['waste'],
];
const fieldOf = (field: CostGroupField) =>
  field === 'waste'
    ? ({ isWaste }: { readonly isWaste: boolean }) => (isWaste ? 'failed' : '')
    : (call: object) => String((call as Record<string, unknown>)[field]);

describe('calls that are priced anew', () => {
  it('cost in every report what they cost by the last prices', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyUsedCall, { minLength: 1, maxLength: 20 }),
        fc.array(fc.record({ rates: anyRates, isExportedBefore: fc.boolean() }), {
          minLength: 1,
          maxLength: 3,
        }),
        anyRates,
        async (used, changes, first) => {
          await LedgerHarness.begin(database);
          await store.command(`TRUNCATE TABLE ${store.database}.usage`);
          for (const call of used) await settleCall(database, bookOf(first), call);
          let costs = used.map((call) => costAt(first, call));
          for (const { rates, isExportedBefore } of changes) {
            if (isExportedBefore) await exportAll();
            await repriceAll(database, bookOf(rates));
            const before = costs;
            costs = used.map((call, index) => costAt(rates, call) ?? before[index]);
          }
          await exportAll();
          const period = { from: new Date(Date.now() - 86_400_000), to: new Date(Date.now() + 86_400_000) };
          for (const groupBy of groupings) {
            const report = await runCostQuery(store, { ...period, groupBy });
            const told = report.groups.map(({ group, costUsd, unpricedCalls }) => [
              groupBy.map((field) => group[field]).join(' '),
              `${formatUsd(costUsd)}, ${unpricedCalls} unpriced`,
            ]);
            const keys = new Set(used.map((call) => groupBy.map((field) => fieldOf(field)(call)).join(' ')));
            const expected = [...keys].map((key) => {
              const own = costs.filter(
                (_, index) =>
                  used[index] !== undefined &&
                  groupBy.map((field) => fieldOf(field)(used[index] as never)).join(' ') === key,
              );
              const sum = formatUsd(sumUsd(own.map((cost) => cost ?? zeroUsd)));
              return [key, `${sum}, ${own.filter((cost) => cost === undefined).length} unpriced`];
            });
            if (groupBy.length > 0) expect(Object.fromEntries(told)).toEqual(Object.fromEntries(expected));
            expect(formatUsd(report.total.costUsd)).toBe(
              formatUsd(sumUsd(costs.map((cost) => cost ?? zeroUsd))),
            );
          }
          const sums = partColumns.map((column) => `sum(${column})`).join(' + ');
          const apart = await store.query(
            `SELECT call_id FROM ${store.database}.usage GROUP BY call_id HAVING ${sums} != sum(ifNull(cost_usd, 0))`,
          );
          expect(apart).toEqual([]);
          const day = new Date(Date.now());
          const start = new Date(Date.UTC(day.getUTCFullYear(), day.getUTCMonth(), day.getUTCDate() - 1));
          const request = {
            from: start,
            to: new Date(start.getTime() + 3 * 86_400_000),
            grain: 'day' as const,
            hasTokenDetails: false,
            filters: {},
          };
          const billed: string[] = [];
          for await (const piece of new FocusExports({ store, billingAccount: 'house' }).rows(request, {})) {
            expect(piece.flatMap(rowFaults)).toEqual([]);
            billed.push(...piece.map(({ BilledCost }) => BilledCost ?? ''));
            expect(piece.map(({ SkuMeter }) => SkuMeter)).not.toContain('Adjustment');
          }
          expect(formatUsd(sumUsd(billed.map((amount) => usd(amount))))).toBe(
            formatUsd(sumUsd(costs.map((cost) => cost ?? zeroUsd))),
          );
        },
      ),
      { numRuns: depth({ usual: 2, full: 3 }) },
    );
  }, 240_000);
});

describe('a closed month', () => {
  it('keeps its statement, while what is learnt of it is booked in the present', async () => {
    await LedgerHarness.begin(database);
    await database.execute('truncate millrace.billing_periods');
    await store.command(`TRUNCATE TABLE ${store.database}.usage`);
    const call = {
      team: 'blue',
      customer: 'acme',
      feature: 'search',
      model: 'alpha',
      tokens: { uncached_input: 1_000_000 },
      isWaste: false,
      isEstimated: false,
    } as const;
    const book = (input: string) => bookOf({ alpha: { input, output: '1' } });
    await settleCall(database, book('1'), call);
    // Ids of calls begin with their time.
    await database.execute(
      `update millrace.calls set reserved_at = '2026-10-31 23:30:00+00',
         id = overlay(id::text placing '01a1944c-70c0' from 1 for 13)::uuid`,
    );
    await database.execute(
      `update millrace.outbox o set subject = c.id from millrace.calls c where o.subject is not null`,
    );
    await exportAll();
    const now = new Date();
    const reports = new CostReports({ store, timeZone: 'UTC' });
    const statement = async () => {
      const request = { month: '2026-10-01', timeZone: 'UTC' };
      const { createdAt: _, ...rest } = await makeStatement(reports, request, { now, viewer: {} });
      return rest;
    };
    const before = await statement();
    expect(before.totals.costUsd).toBe('1');
    const periods = new PeriodService({
      ledger: new PeriodLedger(database),
      clock: systemClock,
      timeZone: 'UTC',
    });
    await periods.close({ month: '2026-10', reason: 'the books' }, { actor: 'ada' });
    await repriceAll(database, book('3'), { from: '2026-10-01', to: '2026-11-01' });
    await exportAll();
    expect(await statement()).toEqual(before);
    const all = await runCostQuery(store, { groupBy: [] });
    expect(formatUsd(all.total.costUsd)).toBe('3');
    const day = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()));
    const request = {
      from: day,
      to: new Date(day.getTime() + 2 * 86_400_000),
      grain: 'day' as const,
      hasTokenDetails: false,
      filters: {},
    };
    const rows: FocusRow[] = [];
    for await (const piece of new FocusExports({ store, billingAccount: 'house' }).rows(request, {}))
      rows.push(...piece);
    expect(rows.flatMap(rowFaults)).toEqual([]);
    expect(rows).toMatchObject([
      { BilledCost: '2', ChargeClass: 'Correction', x_CorrectedPeriod: '2026-10', SkuMeter: 'Input Tokens' },
    ]);
  }, 120_000);
});
