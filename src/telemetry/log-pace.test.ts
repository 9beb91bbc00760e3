import { describe, expect, it } from 'vitest';
import { AppError } from '../kernel/app-error.ts';
import { kindOfError, LogPace } from './log-pace.ts';

describe('LogPace', () => {
  it('lets one line of a kind through in ten seconds, and says how many were left out', () => {
    let nowMs = 0;
    const pace = new LogPace({ monotonicMs: () => nowMs });
    const lines = Array.from({ length: 17_671 }, () => pace.suppressedBefore('READONLY'));
    expect(lines.filter((line) => line !== undefined)).toEqual([0]);
    expect(pace.suppressedBefore('OOM')).toBe(0);
    nowMs = 9999;
    expect(pace.suppressedBefore('READONLY')).toBeUndefined();
    nowMs = 10_000;
    expect(pace.suppressedBefore('READONLY')).toBe(17_671);
    expect(pace.suppressedBefore('READONLY')).toBeUndefined();
  });

  it('remembers a bounded number of kinds', () => {
    const pace = new LogPace({ monotonicMs: () => 0 });
    for (let kind = 0; kind <= 1000; kind += 1) pace.suppressedBefore(String(kind));
    expect(pace.suppressedBefore('0')).toBe(0);
    expect(pace.suppressedBefore('1000')).toBeUndefined();
  });

  it('tells kinds apart by name, code and the first word, not by what differs each time', () => {
    const readOnly = new Error("READONLY You can't write against a read only replica. script: a");
    expect(kindOfError(readOnly)).toBe(kindOfError(new Error('READONLY again, script: b')));
    expect(kindOfError(readOnly)).not.toBe(kindOfError(new Error('OOM command not allowed')));
    expect(kindOfError(new AppError('MILLRACE_LEASE_EXPIRED', 'It ended'))).toContain(
      'MILLRACE_LEASE_EXPIRED',
    );
    expect(kindOfError(undefined)).toBe('undefined');
  });
});
