import { describe, expect, it } from 'vitest';
import { Parked } from '../parked.ts';
import { awaitNewerProcess } from './newer-version.ts';

const accepted = { typeName: 'order.placed', versions: [1, 2] };

describe('a message of a newer schema version', () => {
  it('waits for a newer process, up to a quarter of an hour', () => {
    for (const deliveries of [1, 180]) {
      expect(() => awaitNewerProcess(accepted, 3, deliveries)).toThrow(Parked);
    }
    expect(() => awaitNewerProcess(accepted, 3, 181)).not.toThrow();
  });

  it('is no matter of waiting when its version is known, or older than what is', () => {
    for (const version of [0, 1, 2]) expect(() => awaitNewerProcess(accepted, version, 1)).not.toThrow();
  });
});
