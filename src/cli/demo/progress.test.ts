import { describe, expect, it } from 'vitest';
import type { HostStatus, MessageCounts } from '../../host/host-status.ts';
import { usd, zeroUsd } from '../../kernel/money.ts';
import { progressDisplay, progressLine } from './progress.ts';

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
    unexportedRecords: 0,
    holds: [],
    parked: {},
    circuits: [],
    erasures: [],
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
    expect(progressLine(status, { stages: ['first', 'second', 'third'], admitted: 9, documents: 10 })).toBe(
      'admitted 9/10 | first 1,234 done | second 1 done, 5 pending, 4 dead | third 0 done | spent 0.123457 USD',
    );
  });

  it('rewrites one line that fits on a terminal, and writes whole lines elsewhere', () => {
    const terminal = sink(true);
    const display = progressDisplay(terminal.stream, ['a stage']);
    display.show(statusOf({}), 1, 2);
    display.show(statusOf({}), 2, 2);
    display.end();
    display.end();
    expect(terminal.written).toEqual([
      '\r\u001b[2Kadmitted 1/2 | a st',
      '\r\u001b[2Kadmitted 2/2 | a st',
      '\n',
    ]);
    const file = sink(false);
    progressDisplay(file.stream, []).show(statusOf({}), 1, 2);
    expect(file.written).toEqual(['admitted 1/2 | spent 0.123457 USD\n']);
  });
});
