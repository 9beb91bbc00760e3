import { describe, expect, it } from 'vitest';
import { failureKinds, healthSignalOf } from './health-signal.ts';

describe('what a failure says about its provider', () => {
  it('is bad only where the provider itself is sick', () => {
    const kinds = (sign: string) => failureKinds.filter((kind) => healthSignalOf(kind) === sign);
    expect(kinds('failure')).toEqual(['overloaded', 'server_error', 'network', 'stream_cut']);
    expect(kinds('timeout')).toEqual(['timeout', 'stalled']);
    expect(kinds('success')).toEqual([]);
    expect(healthSignalOf(undefined)).toBe('success');
    expect(healthSignalOf('something new')).toBe('none');
  });
});
