import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WorkerSlots } from './worker-slots.ts';

describe('WorkerSlots', () => {
  it('gives a free slot at once, and none beyond its capacity', async () => {
    const slots = new WorkerSlots({ capacity: 2, nowMs: () => 0 });
    expect(await slots.take()).toBe(true);
    expect(slots.tryTake()).toBe(true);
    expect(slots.tryTake()).toBe(false);
    expect(slots.busy).toBe(2);
  });

  it("lets the process's own token have a slot that was just given back", async () => {
    const slots = new WorkerSlots({ capacity: 1, nowMs: () => 0 });
    await slots.take();
    let hasSlot = false;
    void slots.take().then((granted) => (hasSlot = granted));
    slots.release();
    expect(slots.tryTake()).toBe(true);
    await turn();
    expect(hasSlot).toBe(false);
    slots.release();
    await turn();
    expect(hasSlot).toBe(true);
  });

  it('puts a token of the queue first once it has waited long enough', async () => {
    let now = 0;
    const slots = new WorkerSlots({ capacity: 1, nowMs: () => now, patienceMs: 50 });
    await slots.take();
    const waiting = slots.take();
    now = 50;
    slots.release();
    expect(slots.tryTake()).toBe(false);
    expect(await waiting).toBe(true);
  });

  it('grants more when the capacity grows, and no new one while it has shrunk', async () => {
    const slots = new WorkerSlots({ capacity: 1, nowMs: () => 0 });
    await slots.take();
    const waiting = slots.take();
    slots.setCapacity(2);
    expect(await waiting).toBe(true);
    slots.setCapacity(1);
    slots.release();
    expect(slots.tryTake()).toBe(false);
    slots.release();
    expect(slots.tryTake()).toBe(true);
  });

  it('tells everybody who waits when it closes', async () => {
    const slots = new WorkerSlots({ capacity: 1, nowMs: () => 0 });
    await slots.take();
    const waiting = slots.take();
    slots.close();
    expect(await waiting).toBe(false);
    expect(await slots.take()).toBe(false);
    slots.release();
    expect(slots.tryTake()).toBe(false);
  });

  it('never has more busy slots than the capacity, and lets everybody through in the end', async () => {
    const step = fc.constantFrom('take' as const, 'tryTake' as const, 'release' as const);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(step, { maxLength: 60 }),
        async (capacity, steps) => {
          const slots = new WorkerSlots({
            capacity,
            nowMs: () => 0,
            onChange: (busy) => expect(busy).toBeLessThanOrEqual(capacity),
          });
          let held = 0;
          const left = { waiting: 0 };
          const granted = (): void => {
            left.waiting -= 1;
            held += 1;
          };
          for (const action of steps) {
            if (action === 'take') {
              left.waiting += 1;
              void slots.take().then(granted);
            } else if (action === 'tryTake') {
              if (slots.tryTake()) held += 1;
            } else if (held > 0) {
              held -= 1;
              slots.release();
            }
            await turn();
            expect(slots.busy).toBe(held);
          }
          while (left.waiting > 0 || held > 0) {
            expect(held).toBeGreaterThan(0);
            held -= 1;
            slots.release();
            await turn();
          }
          expect(slots.busy).toBe(0);
        },
      ),
    );
  });
});
