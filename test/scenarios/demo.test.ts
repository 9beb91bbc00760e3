import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatUsd, sumUsd, usd, zeroUsd } from '../../src/kernel/money.ts';
import { builtCommand } from '../support/built-package.ts';
import { runMillrace, startMillrace } from '../support/millrace-process.ts';
import { isFullDepth } from '../support/test-depth.ts';
import {
  type BilledRequest,
  type LedgerCall,
  parseReport,
  readBill,
  readCalls,
  readResult,
} from './demo-run.ts';

/* What the demo promises, by the built command: exact sums, nothing lost and nothing paid twice when it is killed. */

let folder = '';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-demo-'));
  await builtCommand();
}, 300_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('millrace demo', () => {
  it('accounts for every cent, and does nothing again when it is run again', async () => {
    const data = join(folder, 'whole');
    const args = ['demo', '--limit', '25', '--json', '--data', data];
    const first = await runMillrace(args, folder);
    expect(first, first.stderr).toMatchObject({ exitCode: 0 });
    const report = parseReport(first.stdout);

    expect(report).toMatchObject({
      documents: 25,
      messages: { admitted: 125, completed: 125, deadLettered: 0, cancelled: 0, pending: 0 },
      calls: { total: 50, settled: 50, failed: 0, unsettled: 0, reused: 0 },
      estimated: 0,
      originCoverage: 1,
    });
    expect(usd(report.billedUsd).isPositive() && report.billedUsd !== '0').toBe(true);
    expect([report.ledgerUsd, report.attributedUsd]).toEqual([report.billedUsd, report.billedUsd]);
    expect(formatUsd(sumUsd(report.byTeam.map((team) => usd(team.usd))))).toBe(report.billedUsd);
    expect(report.byTeam.reduce((sum, { calls }) => sum + calls, 0)).toBe(50);
    expect(report.byStage.map(({ stage, succeeded }) => [stage, succeeded])).toEqual([
      ['fetch', 25],
      ['summarise', 25],
      ['classify', 25],
      ['store', 25],
    ]);
    expect(resultsIn(data).size).toBe(25);

    const again = await runMillrace(args, folder);
    expect(again.exitCode).toBe(0);
    const { seconds: _, ...unchanged } = report;
    expect(parseReport(again.stdout)).toMatchObject(unchanged);
  }, 120_000);

  it('goes on where it was killed, with one result a document and no settled call asked for again', async () => {
    const data = join(folder, 'killed');
    const args = ['demo', '--limit', '60', '--json', '--data', data];
    for (const billedMore of isFullDepth ? [1, 30, 7, 20, 25] : [1, 40]) {
      const { child, ended } = await startMillrace(args, folder);
      // In the midst of its work, wherever that is: requests were billed, and more are in the air.
      await untilBilled(data, billedLines(data) + billedMore, ended);
      child.kill('SIGKILL');
      await ended;
    }
    const last = await runMillrace(args, folder);
    expect(last, last.stderr).toMatchObject({ exitCode: 0 });
    const report = parseReport(last.stdout);
    expect(report.messages).toEqual({
      admitted: 300,
      completed: 300,
      deadLettered: 0,
      cancelled: 0,
      pending: 0,
    });
    expect(report.calls.unsettled).toBeGreaterThan(0);
    expect(report.ledgerUsd).toBe(report.attributedUsd);
    expect(report.originCoverage).toBe(1);
    expect(resultsIn(data).size).toBe(60);

    const bill = await readBill(data);
    const calls = await readCalls(data);
    expectBillCovered(bill, calls);
    expectNothingPaidTwice(bill, calls);
    const billed = sumUsd(bill.map(({ costUsd }) => usd(costUsd)));
    expect(formatUsd(billed)).toBe(report.billedUsd);
    const ofUnsettled = bill.filter(({ callId }) => calls.get(callId)?.state === 'unsettled');
    expect(formatUsd(billed.minus(sumUsd(ofUnsettled.map(({ costUsd }) => usd(costUsd)))))).toBe(
      report.ledgerUsd,
    );
  }, 240_000);

  it('brackets the bill when the provider has a bad day', async () => {
    const data = join(folder, 'faults');
    const run = await runMillrace(['demo', '--limit', '100', '--faults', '--json', '--data', data], folder);
    expect(run, run.stderr).toMatchObject({ exitCode: 0 });
    const report = parseReport(run.stdout);
    expect(report.messages).toMatchObject({ admitted: 500, pending: 0 });
    expect(report.calls.failed).toBeGreaterThan(0);
    expect(report.estimated + report.calls.unsettled).toBeGreaterThan(0);
    const { lowerUsd, upperUsd } = report.bounds;
    expect(usd(report.billedUsd).greaterThanOrEqualTo(usd(lowerUsd))).toBe(true);
    expect(usd(report.billedUsd).lessThanOrEqualTo(usd(upperUsd))).toBe(true);
    expect(report.ledgerUsd).toBe(report.attributedUsd);

    const bill = await readBill(data);
    const calls = await readCalls(data);
    expectBillCovered(bill, calls);
    expectNothingPaidTwice(bill, calls);
    for (const { callId, usageReported } of bill) {
      if (usageReported) expect(calls.get(callId)?.settlement, callId).toBe('reported');
    }
  }, 240_000);

  it('stops in order on SIGINT and says how to go on', async () => {
    const data = join(folder, 'interrupted');
    const { child, says, ended } = await startMillrace(['demo', '--limit', '400', '--data', data], folder);
    await says('First message after');
    child.kill('SIGINT');
    const { exitCode, stdout, stderr } = await ended;
    expect(stderr).toContain('Go on with: millrace demo --data interrupted');
    expect({ exitCode, stdout }).toEqual({ exitCode: 130, stdout: '' });
    const calls = await readCalls(data);
    expect([...calls.values()].filter(({ state }) => state === 'reserved')).toEqual([]);
  }, 120_000);

  it('says what is wrong with its documents and its folder', async () => {
    writeFileSync(join(folder, 'occupied.txt'), '');
    const missing = await runMillrace(['demo', '--documents', 'nowhere', '--data', 'one'], folder);
    expect(missing).toMatchObject({ exitCode: 1, stdout: '' });
    expect(missing.stderr).toMatch(/^MILLRACE_DEMO_DOCUMENTS_MISSING: There is no folder .*nowhere/m);
    expect(missing.stderr).toMatch(/^What to do: /m);
    // No run was begun that later ones would be told of.
    expect(existsSync(join(folder, 'one'))).toBe(false);
    const file = await runMillrace(['demo', '--data', join('occupied.txt', 'x')], folder);
    expect(file.stderr).toMatch(/^MILLRACE_DEMO_FOLDER_UNUSABLE: .* cannot be made/m);
    const occupied = await runMillrace(['demo', '--data', '.'], folder);
    expect(occupied.exitCode).toBe(1);
    expect(occupied.stderr).toMatch(/^MILLRACE_DEMO_FOLDER_UNUSABLE: /m);
    const wrong = await runMillrace(['demo', '--limit', 'many'], folder);
    expect(wrong).toMatchObject({ exitCode: 2, stdout: '' });
  }, 60_000);
});

function billedLines(data: string): number {
  const bill = join(data, 'simulator', 'bill.jsonl');
  return existsSync(bill) ? readFileSync(bill, 'utf8').split('\n').length - 1 : 0;
}

/** Resolves when the bill has so many lines, or the process has ended without them. */
async function untilBilled(data: string, lines: number, ended: Promise<unknown>): Promise<void> {
  const isOver = ended.then(() => true);
  while (billedLines(data) < lines) {
    if (await Promise.race([isOver, sleep(5, false)])) return;
  }
}

/** Document ids of the results, each of which must have one file. */
function resultsIn(data: string): ReadonlySet<unknown> {
  const files = readdirSync(join(data, 'results'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.json'),
  );
  const ids = new Set(files.map((file) => readResult(data, file)['documentId']));
  expect(ids.size).toBe(files.length);
  return ids;
}

/** Every billed request has its call: with the same amount when its usage is known, else below its upper bound. */
function expectBillCovered(bill: readonly BilledRequest[], calls: ReadonlyMap<string, LedgerCall>): void {
  expect(new Set(bill.map(({ callId }) => callId)).size).toBe(bill.length);
  for (const { callId, costUsd } of bill) {
    const call = calls.get(callId);
    expect(call, `the billed call ${callId} is in the ledger`).toBeDefined();
    if (call?.settlement === 'reported') expect(formatUsd(call.costUsd ?? zeroUsd)).toBe(costUsd);
    else expect(call?.upperBoundUsd?.greaterThanOrEqualTo(usd(costUsd)), `${callId} has a bound`).toBe(true);
  }
  const billed = new Set(bill.map(({ callId }) => callId));
  for (const { id, settlement } of calls.values())
    if (settlement === 'reported') expect(billed.has(id), id).toBe(true);
}

/** Once a step has a settled good answer, no request for it follows. */
function expectNothingPaidTwice(
  bill: readonly BilledRequest[],
  calls: ReadonlyMap<string, LedgerCall>,
): void {
  const steps = Map.groupBy(bill, ({ messageId, step }) => `${messageId} ${step}`);
  for (const [step, entries] of steps) {
    const good = entries.filter(({ callId }) => {
      const call = calls.get(callId);
      return call?.state === 'settled' && call.outcome === 'ok';
    });
    expect(good.length, step).toBeLessThanOrEqual(1);
    const last = entries.toSorted((left, right) => left.n - right.n).at(-1);
    if (good.length === 1) expect(last, step).toBe(good[0]);
  }
}
