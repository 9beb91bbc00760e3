import { describe, expect, it } from 'vitest';
import type { HostStatus, MessageCounts } from '../../host/host-status.ts';
import { usd, zeroUsd } from '../../kernel/money.ts';
import { progressBar, progressDisplay, progressLine } from './progress.ts';
import { RecentRate } from '../../terminal/recent-rate.ts';

const none: MessageCounts = { pending: 0, leased: 0, completed: 0, dead_lettered: 0, cancelled: 0 };

function statusOf(stages: Readonly<Record<string, Partial<MessageCounts>>>): HostStatus {
  return {
    messages: none,
    stages: Object.entries(stages).map(([stage, counts]) => ({
      stage,
      owner: 'x',
      messages: { ...none, ...counts },
      oldestSeconds: 0,
    })),
    calls: {
      calls: 0,
      reserved: 0,
      succeeded: 0,
      failed: 0,
      estimated: 0,
      unsettled: 0,
      unpriced: 0,
      settledUsd: usd('0.12345678'),
      estimatedUsd: zeroUsd,
      estimatedUpperUsd: zeroUsd,
      openUpperUsd: zeroUsd,
    },
    lastHour: { wasted: [], failing: [] },
    unexportedRecords: 0,
    pauses: [],
    parked: {},
    circuits: [],
    erasures: [],
    unreadablePrices: [],
    waits: [],
  };
}

/** A stream that keeps what is written, as a terminal of 20 columns or as a file. */
function sink(isTTY: boolean): { readonly written: string[]; readonly stream: NodeJS.WritableStream } {
  const written: string[] = [];
  const stream = { isTTY, columns: 20, write: (text: string) => written.push(text) > 0 };
  return { written, stream: stream as unknown as NodeJS.WritableStream };
}

describe('progress', () => {
  it('shows each stage in order with what is done, pending and dead', () => {
    const status = statusOf({
      second: { completed: 1, pending: 2, leased: 3, dead_lettered: 4 },
      first: { completed: 1234 },
    });
    const stages = ['first', 'second', 'third'];
    expect(progressLine({ status, stages, admitted: 9, documents: 10, perSecond: 2 })).toBe(
      'admitted 9/10 | first 1,234 done | second 1 done, 5 pending, 4 dead | third 0 done | spent 0.123457 USD | 2.0 documents/s',
    );
  });

  it('fills a bar by the documents that are done or dead', () => {
    const status = statusOf({
      first: { completed: 9, dead_lettered: 1, cancelled: 1 },
      last: { completed: 3, pending: 2, leased: 3 },
    });
    const stages = ['first', 'last'];
    expect(progressBar({ status, stages, admitted: 10, documents: 10, perSecond: 12.34 })).toBe(
      `[${'█'.repeat(10)}${'░'.repeat(10)}] 5/10 documents, 12.3/s, 0.123457 USD, 1 dead | first 0, last 5 open`,
    );
    expect(
      progressBar({ status: statusOf({}), stages: [], admitted: 0, documents: 0, perSecond: undefined }),
    ).toBe(`[${'░'.repeat(20)}] 0/0 documents, 0.123457 USD`);
  });

  it('never fills the bar beyond its end', () => {
    const status = statusOf({ last: { completed: 3, dead_lettered: 1 } });
    expect(
      progressBar({ status, stages: ['last'], admitted: 3, documents: 3, perSecond: undefined }),
    ).toContain(`[${'█'.repeat(20)}] 4/3 documents`);
  });

  it('rewrites one bar that fits on a terminal, and writes whole lines elsewhere', () => {
    const terminal = sink(true);
    const display = progressDisplay(terminal.stream, ['a']);
    display.show(statusOf({}), { admitted: 1, documents: 2, atMs: 0 });
    display.show(statusOf({ a: { completed: 1 } }), { admitted: 2, documents: 2, atMs: 500 });
    display.note('stays');
    display.show(statusOf({ a: { completed: 2 } }), { admitted: 2, documents: 2, atMs: 1000 });
    display.end();
    display.end();
    expect(terminal.written).toEqual([
      `\r\u001b[2K[${'░'.repeat(18)}`,
      `\r\u001b[2K[${'█'.repeat(10)}${'░'.repeat(8)}`,
      '\r\u001b[2Kstays\n',
      `\r\u001b[2K[${'█'.repeat(18)}`,
      '\n',
    ]);
    const file = sink(false);
    const lines = progressDisplay(file.stream, ['a']);
    lines.show(statusOf({}), { admitted: 1, documents: 2, atMs: 0 });
    lines.show(statusOf({ a: { completed: 2 } }), { admitted: 2, documents: 2, atMs: 500 });
    expect(file.written).toEqual([
      'admitted 1/2 | a 0 done | spent 0.123457 USD\n',
      'admitted 2/2 | a 2 done | spent 0.123457 USD | 4.0 documents/s\n',
    ]);
  });
});

describe('recent rate', () => {
  it('is the growth over the last five seconds, whatever was before', () => {
    const rate = new RecentRate();
    expect(rate.take(100, 0)).toBeUndefined();
    expect(rate.take(100, 1000)).toBeUndefined();
    expect(rate.take(110, 2000)).toBe(5);
    // A pause leaves it when it is older than the window.
    for (let second = 3; second <= 20; second += 1) rate.take(110 + (second - 2) * 20, second * 1000);
    expect(rate.take(490, 21_000)).toBe(20);
    expect(rate.take(490, 26_000)).toBeUndefined();
  });
});
