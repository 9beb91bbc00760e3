import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatUsd, sumUsd, type Usd, usd, zeroUsd } from '../../src/kernel/money.ts';
import type { BillEntry } from '../../src/simulator/bill.ts';
import { SeededRandom } from '../chaos/seeded-random.ts';
import { canRun, postgresPrograms, redisPrograms } from '../support/required-programs.ts';
import { depth, testSeed } from '../support/test-depth.ts';
import { type BatchEvidence, planKills, refusedWord, runKilledBatch } from './killed-batch.ts';

/*
 * A batch whose hosts are killed again and again ends as one that nobody disturbs: with the same output to the byte, every item ended once,
 * and a bill that is larger by no more than what was in flight when they died.
 */

const itemCount = depth({ usual: 160, full: 300 });
/** Every so manieth is refused by the provider. */
const refusedEvery = 50;
const refusedCount = Math.floor(itemCount / refusedEvery);
const chunkItems = 40;
const concurrency = 8;
const stageCount = 2;
const processes = { embedded: 1, services: 2 } as const;

const items = Array.from({ length: itemCount }, (_, at) => ({
  id: `letter-${at + 1}`,
  data: {
    subject: `Order ${at + 1}`,
    text:
      (at + 1) % refusedEvery === 0 ? `An ${refusedWord} word.` : 'It came late, and the "box" was\nbroken.',
  },
}));

const hasServers = [postgresPrograms(), redisPrograms()].every((programs) => canRun(programs));

describe('a batch whose hosts are killed', { timeout: 600_000 }, () => {
  let folder: string;
  let undisturbed: BatchEvidence;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-batch-killed-'));
    undisturbed = await run('embedded', 0, 'undisturbed');
  }, 300_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const run = async (
    stores: 'embedded' | 'services',
    kills: number,
    name: string,
  ): Promise<BatchEvidence> => {
    const random = new SeededRandom(`${testSeed}/${stores}`);
    const points = kills === 0 ? [] : planKills(random, kills, undisturbed.bill.length);
    return await runKilledBatch({
      stores,
      directory: join(folder, name),
      seed: testSeed,
      items,
      chunkItems,
      concurrency,
      kills: points,
    });
  };

  it('costs what was used, and nothing else, when nobody disturbs it', () => {
    expectComplete(undisturbed);
    expect(undisturbed.calls.filter(({ state }) => state !== 'settled')).toEqual([]);
    expect(undisturbed.bill).toHaveLength(stageCount * (itemCount - refusedCount));
    expect(undisturbed.batch.costUsd).toBe(formatUsd(billedUsd(undisturbed.bill)));
  });

  const expectAlike = (killed: BatchEvidence, stores: 'embedded' | 'services'): void => {
    expectComplete(killed);
    expect(firstDifference(killed.output, undisturbed.output)).toBeUndefined();
    expect(killed.batch.costUsd).toBe(undisturbed.batch.costUsd);
    expect(killed.messages).toBe(undisturbed.messages);
    expectBillCovered(killed);
    expectExcessUnsettled(killed, undisturbed, processes[stores]);
  };

  it(`ends as if nothing had happened, on embedded stores (seed ${testSeed})`, async () => {
    const kills = depth({ usual: 3, full: 20 });
    const killed = await run('embedded', kills, 'embedded');
    expect(killed.billedAtKills).toHaveLength(kills);
    expectAlike(killed, 'embedded');
  });

  it.skipIf(!hasServers)(`ends as if nothing had happened, in two processes (seed ${testSeed})`, async () => {
    const kills = depth({ usual: 3, full: 20 });
    const killed = await run('services', kills, 'services');
    expect(killed.billedAtKills).toHaveLength(kills);
    expectAlike(killed, 'services');
  });
});

/** Every item has ended once, and every count adds up to the input. */
function expectComplete({ batch, output, items: rows, chunks, openMessages, usedUsd }: BatchEvidence): void {
  const succeeded = itemCount - refusedCount;
  expect(batch).toMatchObject({
    state: 'succeeded',
    items: {
      total: itemCount,
      open: 0,
      succeeded,
      failed: refusedCount,
      expired: 0,
      cancelled: 0,
      skipped: 0,
    },
  });
  expect(openMessages).toBe(0);
  const lines = output
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as { id: string; position: number; status: string; costUsd: string });
  expect(lines.map(({ id, position }) => [id, position])).toEqual(items.map(({ id }, at) => [id, at + 1]));
  expect(lines.map(({ status }) => status)).toEqual(rows.map(({ state }) => state));
  expect(Map.groupBy(lines, ({ status }) => status).get('failed')).toHaveLength(refusedCount);
  for (const { chunk, state, items: size, ended, failed } of chunks) {
    const own = rows.filter((row) => row.chunk === chunk);
    expect({ chunk, state, size, ended, failed }).toEqual({
      chunk,
      state: 'done',
      size: own.length,
      ended: own.length,
      failed: own.filter((row) => row.state === 'failed').length,
    });
  }
  expect(chunks.reduce((sum, chunk) => sum + chunk.ended, 0)).toBe(itemCount);
  // Three accounts of the same money: the batch, its lines, and the answers that its messages used.
  for (const amounts of [lines.map(({ costUsd }) => costUsd), rows.map((row) => row.cost_usd), usedUsd]) {
    expect(formatUsd(sumOf(amounts))).toBe(batch.costUsd);
  }
}

/** Every billed request is a call of the ledger, with the same amount where its usage is known, else below its upper bound. */
function expectBillCovered({ bill, calls }: BatchEvidence): void {
  const callsById = new Map(calls.map((call) => [call.id, call]));
  expect(new Set(bill.map(({ callId }) => callId)).size).toBe(bill.length);
  for (const { callId, costUsd } of bill) {
    const call = callsById.get(callId ?? '');
    expect(call, `the billed call ${String(callId)} is in the ledger`).toBeDefined();
    if (call?.settlement === 'reported') expect(formatUsd(usd(call.cost_usd ?? '0')), call.id).toBe(costUsd);
    else expect(usd(call?.upper_bound_usd ?? '0').lessThan(usd(costUsd)), call?.id).toBe(false);
  }
  const covered = sumOf(
    calls.map(({ settlement, cost_usd: cost, upper_bound_usd: bound }) =>
      settlement === 'reported' ? cost : bound,
    ),
  );
  expect(covered.lessThan(billedUsd(bill))).toBe(false);
}

/** What the bill exceeds the undisturbed one by is all of it in calls that are marked, and each death left behind only what was in flight. */
function expectExcessUnsettled(
  { bill, calls, billedAtKills }: BatchEvidence,
  undisturbed: BatchEvidence,
  hosts: number,
): void {
  const marked = new Set(
    calls
      .filter(({ settlement }) => settlement === 'unsettled' || settlement === 'estimated')
      .map(({ id }) => id),
  );
  const wasted = bill.filter(({ callId }) => marked.has(callId ?? ''));
  const excess = billedUsd(bill).minus(billedUsd(undisturbed.bill));
  expect(formatUsd(excess)).toBe(formatUsd(billedUsd(wasted)));
  const bounds = calls.filter(({ id }) => marked.has(id)).map(({ upper_bound_usd: bound }) => bound);
  expect(excess.greaterThan(sumOf(bounds))).toBe(false);
  const inFlight = stageCount * concurrency * hosts;
  expect(inFlight).toBeLessThanOrEqual(chunkItems);
  const ends = [...billedAtKills, bill.length];
  const wastedByLife = ends.map(
    (end, life) => wasted.filter(({ n }) => n < end && n >= (ends[life - 1] ?? 0)).length,
  );
  // At least one of the deaths came in mid-work.
  expect(marked.size).toBeGreaterThan(0);
  expect(Math.max(...wastedByLife)).toBeLessThanOrEqual(inFlight);
  // Nothing is left behind by hosts that end in order.
  expect(wastedByLife.at(-1)).toBe(0);
}

/** Of two outputs, which are too long to be shown: the first line in which they differ, as each has it. */
function firstDifference(one: string, other: string): readonly unknown[] | undefined {
  if (one === other) return undefined;
  const [left, right] = [one.split('\n'), other.split('\n')];
  const at = left.findIndex((line, place) => line !== right[place]);
  return [at, left[at], right[at]];
}

function billedUsd(bill: readonly BillEntry[]): Usd {
  return sumOf(bill.map(({ costUsd }) => costUsd));
}

function sumOf(amounts: readonly (string | null)[]): Usd {
  return sumUsd(amounts.map((amount) => (amount === null ? zeroUsd : usd(amount))));
}
