import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WorkerSlots } from './worker-slots.ts';

const never = new AbortController().signal;

describe('WorkerSlots', () => {
  it('gives what is free, no more than asked for and none beyond its capacity', () => {
    const slots = new WorkerSlots(5);
    expect(slots.takeFree(2)).toBe(2);
    expect(slots.takeFree(10)).toBe(3);
    expect(slots.takeFree(1)).toBe(0);
    expect(slots.busy).toBe(5);
  });

  it('tells who waits for a free slot when one is given back', async () => {
    const slots = new WorkerSlots(1);
    slots.takeFree(1);
    let isFree = false;
    void slots.untilFree(never).then(() => (isFree = true));
    await turn();
    expect(isFree).toBe(false);
    slots.release();
    await turn();
    expect(isFree).toBe(true);
  });

  it('tells who waits for a free slot when the capacity grows, and when they give up', async () => {
    const slots = new WorkerSlots(1);
    slots.takeFree(1);
    const grown = slots.untilFree(never);
    slots.setCapacity(2);
    await grown;
    slots.takeFree(1);
    const leaving = new AbortController();
    const left = slots.untilFree(leaving.signal);
    leaving.abort();
    await left;
    expect(slots.free).toBe(0);
  });

  it('lets runs go on that a smaller capacity has no room for, and gives none until they have ended', () => {
    const slots = new WorkerSlots(3);
    slots.takeFree(3);
    slots.setCapacity(1);
    expect(slots.free).toBe(0);
    slots.release(2);
    expect(slots.takeFree(1)).toBe(0);
    slots.release();
    expect(slots.takeFree(1)).toBe(1);
  });

  it('never counts more busy slots than were taken and not given back', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.nat({ max: 5 }), fc.constant('release'))), (steps) => {
        const seen: number[] = [];
        const slots = new WorkerSlots(4, (busy) => seen.push(busy));
        let taken = 0;
        for (const step of steps) {
          if (typeof step === 'number') taken += slots.takeFree(step);
          else if (taken > 0) {
            slots.release();
            taken -= 1;
          }
          expect(slots.busy).toBe(taken);
          expect(slots.busy).toBeLessThanOrEqual(4);
        }
        expect(seen.every((busy) => busy >= 0 && busy <= 4)).toBe(true);
      }),
    );
  });
});
