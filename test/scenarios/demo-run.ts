import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { PgliteSqlDatabase } from '../../src/drivers/sql-database/sql-database.pglite.ts';
import { type Usd, usd } from '../../src/kernel/money.ts';
import { LineLog } from '../../src/simulator/line-log.ts';

/* A finished run of the demo, as its folder tells it. */

const count = z.int().min(0);
const decimal = z.string().regex(/^\d+(\.\d+)?$/);

/** What `--json` prints: this and nothing else. */
export const reportSchema = z.strictObject({
  documents: count,
  messages: z.strictObject({
    admitted: count,
    completed: count,
    deadLettered: count,
    cancelled: count,
    pending: count,
  }),
  calls: z.strictObject({ total: count, settled: count, failed: count, unsettled: count, reused: count }),
  billedUsd: decimal,
  ledgerUsd: decimal,
  attributedUsd: decimal,
  bounds: z.strictObject({ lowerUsd: decimal, upperUsd: decimal }),
  estimated: count,
  originCoverage: z.number(),
  byTeam: z.array(
    z.strictObject({
      team: z.string().min(1),
      usd: decimal,
      calls: count,
      inputTokens: count,
      outputTokens: count,
      messages: count,
    }),
  ),
  byStage: z.array(
    z.strictObject({
      stage: z.string(),
      succeeded: count,
      failed: count,
      deadLettered: count,
      p50Ms: z.number(),
      p95Ms: z.number(),
      p99Ms: z.number(),
      usdPerSuccess: decimal,
      wasteUsd: decimal,
    }),
  ),
  seconds: z.number().positive(),
});

export type Report = z.output<typeof reportSchema>;

/** The one object on standard output. Fails on anything else there. */
export function parseReport(stdout: string): Report {
  return reportSchema.parse(JSON.parse(stdout));
}

const entrySchema = z.object({
  n: count,
  costUsd: decimal,
  usageReported: z.boolean(),
  callId: z.string(),
  messageId: z.string(),
  step: z.string(),
});

/** A line of the simulator's bill. */
export type BilledRequest = z.output<typeof entrySchema>;

/** The bill, with what was found out later about its entries. */
export async function readBill(data: string): Promise<readonly BilledRequest[]> {
  const log = await LineLog.open(join(data, 'simulator'), 'bill.jsonl');
  const lines = (await log.readLines()).map((line) => JSON.parse(line) as Record<string, unknown>);
  await log.close();
  const unreported = new Set(lines.map((line) => line['unreported']));
  return lines
    .filter((line) => 'n' in line)
    .map((line) => entrySchema.parse(line))
    .map((entry) => (unreported.has(entry.n) ? { ...entry, usageReported: false } : entry));
}

/** A call as the ledger has it. */
export interface LedgerCall {
  readonly id: string;
  readonly state: string;
  readonly outcome: string;
  readonly settlement: string;
  readonly costUsd: Usd | undefined;
  readonly upperBoundUsd: Usd | undefined;
}

export async function readCalls(data: string): Promise<ReadonlyMap<string, LedgerCall>> {
  const database = await PgliteSqlDatabase.open({ dataDirectory: join(data, 'ledger') });
  try {
    const { rows } = await database.query<Record<string, string | null>>({
      name: 'test.calls',
      text: 'select id::text, state, outcome, settlement, cost_usd::text, upper_bound_usd::text from millrace.calls',
    });
    const amount = (text: string | null | undefined): Usd | undefined =>
      text === null || text === undefined ? undefined : usd(text);
    const calls = rows.map((row): LedgerCall => ({
      id: row['id'] ?? '',
      state: row['state'] ?? '',
      outcome: row['outcome'] ?? '',
      settlement: row['settlement'] ?? '',
      costUsd: amount(row['cost_usd']),
      upperBoundUsd: amount(row['upper_bound_usd']),
    }));
    return new Map(calls.map((call) => [call.id, call]));
  } finally {
    await database.close();
  }
}

/** The folder's results by document, as they were written. */
export function readResult(data: string, file: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(data, 'results', file), 'utf8')) as Record<string, unknown>;
}
