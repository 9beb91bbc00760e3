import { describe, expect, it } from 'vitest';
import { batchProgress, progressLine } from './batch-progress.ts';

const none = { succeeded: 0, failed: 0, expired: 0, cancelled: 0, skipped: 0 };
const batch = { state: 'running', items: 1000, ended: none, costUsd: '0' } as const;

describe('the progress of a batch', () => {
  it('shows items, failures, spend, rate and the time that is left', () => {
    expect(progressLine({ batch, perSecond: undefined })).toBe(
      `[${'░'.repeat(20)}] running, 0/1,000 items, 0.000000 USD`,
    );
    const half = {
      ...batch,
      ended: { ...none, succeeded: 480, failed: 15, skipped: 5 },
      costUsd: '1.23456789',
    };
    expect(progressLine({ batch: half, perSecond: 25 })).toBe(
      `[${'█'.repeat(10)}${'░'.repeat(10)}] running, 500/1,000 items, 15 failed, 1.234568 USD, 25.0/s, 20 s left`,
    );
    expect(progressLine({ batch: half, perSecond: 1 })).toContain('9 min left');
    expect(progressLine({ batch: half, perSecond: 0.1 })).toContain('1 h 23 min left');
  });

  it('rewrites one line that fits on a terminal, and writes whole lines elsewhere', () => {
    const written: string[] = [];
    const stream = { isTTY: true, columns: 30, write: (text: string) => written.push(text) > 0 };
    const progress = batchProgress(stream as unknown as Parameters<typeof batchProgress>[0]);
    progress.show(batch, 0);
    progress.end();
    progress.end();
    expect(written).toEqual([`\r\u001b[2K[${'░'.repeat(20)}] running`.slice(0, 34), '\n']);
    const lines: string[] = [];
    const plain = { write: (text: string) => lines.push(text) > 0 };
    const other = batchProgress(plain as unknown as Parameters<typeof batchProgress>[0]);
    other.show(batch, 0);
    other.end();
    expect(lines).toEqual([`[${'░'.repeat(20)}] running, 0/1,000 items, 0.000000 USD\n`]);
  });
});
