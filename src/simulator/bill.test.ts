import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Bill, type BillEntry } from './bill.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-bill-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

function entry(requestId: string, costUsd = '0.001', usageReported = true): Omit<BillEntry, 'n'> {
  return {
    requestId,
    at: '2026-11-22T00:00:00.000Z',
    provider: 'openai',
    endpoint: 'responses',
    modelAsked: 'gpt-5-mini',
    modelAnswered: 'gpt-5-mini-2025-08-07',
    tier: 'default',
    tokens: {
      uncached_input: 1,
      cache_read: 0,
      cache_write_5m: 0,
      cache_write_1h: 0,
      text_output: 1,
      reasoning: 0,
    },
    costUsd,
    usageReported,
    fault: null,
    requestHash: `hash of ${requestId}`,
    callId: null,
    messageId: null,
    step: null,
  };
}

describe.each(['in memory', 'in a file'])('the bill %s', (kind) => {
  const open = (maxEntries = 100): Promise<Bill> =>
    Bill.open(kind === 'in a file' ? directory : undefined, maxEntries);

  it('adds up exactly, and apart what clients were not told', async () => {
    const bill = await open();
    await bill.add(entry('a', '0.1'));
    await bill.add(entry('b', '0.2', false));
    await bill.add(entry('c', '0.000000000000000001'));
    expect(await bill.read()).toEqual({
      totalUsd: '0.300000000000000001',
      requests: 3,
      reportedUsd: '0.100000000000000001',
      unreportedUsd: '0.2',
      next: 3,
    });
    await bill.close();
  });

  it('shows the entries from a place on, with their own sums', async () => {
    const bill = await open();
    for (const id of ['a', 'b', 'c']) await bill.add(entry(id));
    const later = await bill.read({ since: 1, entries: true });
    expect(later.entries?.map(({ n, requestId }) => [n, requestId])).toEqual([
      [1, 'b'],
      [2, 'c'],
    ]);
    expect(later).toMatchObject({ totalUsd: '0.002', requests: 2, next: 3 });
    await bill.close();
  });

  it('moves an entry to the unreported ones when its client was gone', async () => {
    const bill = await open();
    const gone = await bill.add(entry('a'));
    const silent = await bill.add(entry('b', '0.004', false));
    await bill.markUnreported(gone);
    await bill.markUnreported(silent);
    expect(await bill.read()).toMatchObject({ totalUsd: '0.005', reportedUsd: '0', unreportedUsd: '0.005' });
    const { entries = [] } = await bill.read({ entries: true });
    expect(entries.map(({ usageReported }) => usageReported)).toEqual([false, false]);
    await bill.close();
  });
});

describe.each(['in memory', 'in a file'])('an answer that was broken off, in the bill %s', (kind) => {
  it('costs what was produced, and nobody was told', async () => {
    const open = (): Promise<Bill> => Bill.open(kind === 'in a file' ? directory : undefined, 100);
    const bill = await open();
    const { n: _, ...whole } = await bill.add(entry('a', '0.5'));
    await bill.add(entry('b', '0.1'));
    const by = {
      tokens: { ...whole.tokens, text_output: 0 },
      costUsd: '0.2',
      cutAt: '2026-11-22T00:00:01.000Z',
    };
    await bill.shorten({ n: 0, ...whole }, by);
    const sums = { totalUsd: '0.3', requests: 2, reportedUsd: '0.1', unreportedUsd: '0.2' };
    expect(await bill.read()).toMatchObject(sums);
    const { entries = [] } = await bill.read({ entries: true });
    expect(entries[0]).toEqual({ n: 0, ...whole, ...by, usageReported: false });
    await bill.close();
    if (kind === 'in memory') return;
    const again = await open();
    expect(await again.read()).toMatchObject(sums);
    await again.close();
  });
});

describe('the bill in a file', () => {
  it('goes on where it stopped', async () => {
    const first = await Bill.open(directory, 100);
    await Promise.all(Array.from({ length: 50 }, (_, index) => first.add(entry(`r${index}`))));
    await first.markUnreported(await first.add(entry('gone')));
    await first.close();
    const second = await Bill.open(directory, 100);
    expect(await second.read()).toEqual({
      totalUsd: '0.051',
      requests: 51,
      reportedUsd: '0.05',
      unreportedUsd: '0.001',
      next: 51,
    });
    expect((await second.add(entry('next'))).n).toBe(51);
    expect((await second.timesBilled()).get('hash of r7')).toBe(1);
    await second.close();
  });

  it('drops a torn last line and keeps all before it', async () => {
    const first = await Bill.open(directory, 100);
    await first.add(entry('whole'));
    await first.close();
    await appendFile(join(directory, 'bill.jsonl'), '{"n":1,"requestId":"torn');
    const second = await Bill.open(directory, 100);
    await second.add(entry('after'));
    const { entries = [] } = await second.read({ entries: true });
    expect(entries.map(({ requestId }) => requestId)).toEqual(['whole', 'after']);
    await second.close();
  });

  it('refuses a file with a damaged line in the middle', async () => {
    await appendFile(join(directory, 'bill.jsonl'), '{"n":0}\n');
    await expect(Bill.open(directory, 100)).rejects.toMatchObject({
      code: 'MILLRACE_SIMULATOR_BILL_UNREADABLE',
    });
  });

  it('has a line in the file by the time that an entry is added', async () => {
    const bill = await Bill.open(directory, 100);
    for (let index = 0; index < 5; index += 1) {
      await bill.add(entry(`r${index}`));
      const lines = (await readFile(join(directory, 'bill.jsonl'), 'utf8')).trim().split('\n');
      expect(lines).toHaveLength(index + 1);
    }
    await bill.close();
  });
});

describe('the bill in memory', () => {
  it('forgets old entries at its limit and keeps the totals whole', async () => {
    const bill = await Bill.open(undefined, 10);
    for (let index = 0; index < 25; index += 1) await bill.add(entry(`r${index}`));
    const read = await bill.read({ entries: true });
    expect(read.entries?.length).toBeLessThanOrEqual(10);
    expect(read.entries?.at(-1)?.requestId).toBe('r24');
    expect(read).toMatchObject({ requests: 25, totalUsd: '0.025', next: 25 });
  });
});
