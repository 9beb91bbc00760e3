import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../kernel/manual-clock.ts';
import { StageCapacity } from './stage-capacity.ts';

function someGate(options: { startAt?: number; followsLag?: boolean } = {}) {
  const clock = new ManualClock();
  const gate = new StageCapacity({
    bounds: { min: 1, max: 16 },
    startAt: options.startAt ?? 16,
    followsLag: options.followsLag ?? false,
    clock,
  });
  return { clock, gate };
}

function runParked(gate: StageCapacity, delayMs: number): void {
  gate.runBegan();
  gate.parked(delayMs);
  gate.runEnded();
}

function runDone(gate: StageCapacity): void {
  gate.runBegan();
  gate.runEnded();
}

describe('StageCapacity', () => {
  it('takes nothing until the first message that was put aside is due, when nothing else could go on', () => {
    const { clock, gate } = someGate();
    for (const delayMs of [4000, 3000, 5000, 6000]) runParked(gate, delayMs);
    expect(gate.decide(0).isPaused).toBe(true);
    clock.advance(2999);
    expect(gate.decide(0).isPaused).toBe(true);
    clock.advance(1);
    expect(gate.decide(0).isPaused).toBe(false);
  });

  it('only takes less while some of the work goes on', () => {
    const { gate } = someGate();
    for (let turn = 0; turn < 10; turn += 1) {
      runParked(gate, 5000);
      runDone(gate);
    }
    expect(gate.decide(0)).toEqual({ concurrency: 8, isPaused: false });
  });

  it('takes again when the limit would let one through, though those put aside come back later', () => {
    const { clock, gate } = someGate();
    for (let turn = 0; turn < 4; turn += 1) {
      gate.mayGoOnIn(1000);
      runParked(gate, 5000);
    }
    expect(gate.decide(0).isPaused).toBe(true);
    clock.advance(1000);
    expect(gate.decide(0).isPaused).toBe(false);
  });

  it('looks again after ten seconds, however long the work must wait', () => {
    const { clock, gate } = someGate();
    for (let turn = 0; turn < 4; turn += 1) runParked(gate, 60_000);
    expect(gate.decide(0).isPaused).toBe(true);
    clock.advance(10_000);
    expect(gate.decide(0).isPaused).toBe(false);
  });

  it('comes back to all its slots when nothing holds the work up any more', () => {
    const { gate } = someGate();
    runParked(gate, 1000);
    runDone(gate);
    expect(gate.decide(0).concurrency).toBe(8);
    for (let turn = 0; turn < 8; turn += 1) {
      const slots = gate.concurrency;
      for (let slot = 0; slot < slots; slot += 1) gate.runBegan();
      for (let slot = 0; slot < slots; slot += 1) gate.runEnded();
      gate.decide(0);
    }
    expect(gate.concurrency).toBe(16);
  });

  it('does not grow while its requests wait for a limit', () => {
    const { clock, gate } = someGate({ startAt: 1 });
    const runInATurn = (): number => {
      runDone(gate);
      return gate.decide(0).concurrency;
    };
    gate.waits(800);
    expect(runInATurn()).toBe(1);
    clock.advance(500);
    expect(runInATurn()).toBe(1);
    clock.advance(500);
    gate.waits(5);
    expect(runInATurn()).toBe(2);
  });

  it('follows the event loop only where it was given bounds to move in', () => {
    expect(someGate({ followsLag: false }).gate.decide(900).concurrency).toBe(16);
    expect(someGate({ followsLag: true }).gate.decide(900).concurrency).toBe(8);
  });
});
