import { describe, expect, it } from 'vitest';
import { derivedId, isUuid, newId, timeOfId } from '../kernel/ids.ts';
import { mayBeRequestId, newRequestId } from './request-id.ts';

const now = new Date('2026-03-01T12:00:00.123Z');

describe('ids of requests', () => {
  it('are UUIDs of version 8 that carry their time and the mark', () => {
    for (let made = 0; made < 1000; made += 1) {
      const id = newRequestId(now);
      expect(isUuid(id)).toBe(true);
      expect(id).toMatch(/^.{14}8.{4}[89ab]/);
      expect(timeOfId(id)).toEqual(now);
      expect(mayBeRequestId(id)).toBe(true);
    }
  });

  it('differ from each other', () => {
    expect(new Set(Array.from({ length: 5000 }, () => newRequestId(now))).size).toBe(5000);
  });

  it('are told from ids of other messages', () => {
    const others = Array.from({ length: 1000 }, (_, index) => [newId(now), derivedId(now, String(index))]);
    expect(others.flat().filter((id) => mayBeRequestId(id)).length).toBeLessThan(3);
  });
});
