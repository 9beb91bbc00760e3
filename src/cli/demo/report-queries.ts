import type { ColumnStore } from '../../drivers/column-store/column-store.ts';
import { type Usd, usd } from '../../kernel/money.ts';
import { spendSums } from '../../engine/export/spend-sums.ts';

/* The demo's own questions to the usage records and message outcomes. */

/** How a stage's messages ended, and how long its handler took. */
export interface StageOutcome {
  readonly stage: string;
  readonly succeeded: number;
  /** Attempts that failed and were made again, or were the last. */
  readonly failedAttempts: number;
  readonly deadLettered: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

/** A document and what it cost. */
export interface ItemCost {
  readonly item: string;
  readonly team: string;
  readonly usd: Usd;
  readonly calls: number;
}

interface OutcomeRow {
  readonly stage: string;
  readonly succeeded: string;
  readonly dead: string;
  readonly runs: string;
  readonly quantiles: readonly (number | string)[];
}

export async function readStageOutcomes(store: ColumnStore): Promise<readonly StageOutcome[]> {
  const rows = await store.query<OutcomeRow>(
    `SELECT stage, countIf(outcome = 'completed') AS succeeded, countIf(outcome = 'dead_lettered') AS dead,
       sum(attempts) AS runs, quantilesExact(0.5, 0.95, 0.99)(duration_ms) AS quantiles
     FROM ${store.database}.message_outcomes GROUP BY stage ORDER BY stage`,
  );
  return rows.map(({ stage, succeeded, dead, runs, quantiles }) => ({
    stage,
    succeeded: Number(succeeded),
    failedAttempts: Number(runs) - Number(succeeded),
    deadLettered: Number(dead),
    p50Ms: Number(quantiles[0] ?? 0),
    p95Ms: Number(quantiles[1] ?? 0),
    p99Ms: Number(quantiles[2] ?? 0),
  }));
}

export async function readMostExpensiveItems(
  store: ColumnStore,
  limit: number,
): Promise<readonly ItemCost[]> {
  const rows = await store.query<{ item: string; payer: string; total: string; requests: string }>(
    `SELECT item, any(team) AS payer, ${spendSums.cost} AS total, ${spendSums.calls} AS requests
     FROM ${store.database}.usage GROUP BY item ORDER BY total DESC, item LIMIT {limit:UInt32}`,
    { limit },
  );
  return rows.map(({ item, payer, total, requests }) => ({
    item,
    team: payer,
    usd: usd(total),
    calls: Number(requests),
  }));
}

/** The share of usage records and message outcomes whose origin is complete; 1 when there are none. */
export async function readOriginCoverage(store: ColumnStore): Promise<number> {
  const { database } = store;
  const [row] = await store.query<{ covered: string; everything: string }>(
    `SELECT countIf(team != '' AND customer != '' AND feature != '') AS covered, count() AS everything FROM (
       SELECT team, customer, feature FROM ${database}.usage
       UNION ALL SELECT team, customer, feature FROM ${database}.message_outcomes)`,
  );
  const everything = Number(row?.everything ?? 0);
  return everything === 0 ? 1 : Number(row?.covered ?? 0) / everything;
}
