import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Circuit,
  type CircuitCounts,
  type CircuitEvent,
  type CircuitSettings,
  closedCircuit,
  nextCircuit,
  openDurationMs,
} from './circuit.ts';

const settings: CircuitSettings = {
  errorShare: 0.5,
  minRequests: 20,
  openMs: 15_000,
  maxOpenMs: 300_000,
  probes: 3,
};
const openCircuit: Circuit = { state: 'open', opens: 1, probesOut: 0, probeSuccesses: 0 };
const halfOpen: Circuit = { ...openCircuit, state: 'half_open' };
const counted = (successes: number, failures: number, timeouts = 0): CircuitEvent => ({
  kind: 'counted',
  counts: { successes, failures, timeouts },
});
const ended = (result: 'success' | 'failure' | 'nothing'): CircuitEvent => ({ kind: 'probe_ended', result });

describe('nextCircuit', () => {
  it.each<[string, Circuit, CircuitEvent, Circuit | undefined]>([
    ['opens at the threshold', closedCircuit, counted(10, 10), openCircuit],
    ['opens on time-outs alone', closedCircuit, counted(0, 0, 20), openCircuit],
    ['adds failures and time-outs', closedCircuit, counted(10, 5, 5), openCircuit],
    ['stays closed just below the threshold', closedCircuit, counted(11, 9), undefined],
    ['judges nothing by too few requests', closedCircuit, counted(0, 19), undefined],
    ['sends no probes while closed', closedCircuit, { kind: 'probe_wanted' }, undefined],
    ['does not mind late failures while open', openCircuit, counted(0, 100), undefined],
    ['sends no probes while open', openCircuit, { kind: 'probe_wanted' }, undefined],
    ['does not mind a late probe while open', openCircuit, ended('failure'), undefined],
    ['is half open when its time is over', openCircuit, { kind: 'open_time_over' }, halfOpen],
    ['sends a probe', halfOpen, { kind: 'probe_wanted' }, { ...halfOpen, probesOut: 1 }],
    ['sends no more than are needed', { ...halfOpen, probesOut: 3 }, { kind: 'probe_wanted' }, undefined],
    [
      'needs fewer after a success',
      { ...halfOpen, probesOut: 2, probeSuccesses: 1 },
      { kind: 'probe_wanted' },
      undefined,
    ],
    [
      'counts a success',
      { ...halfOpen, probesOut: 1 },
      ended('success'),
      { ...halfOpen, probesOut: 0, probeSuccesses: 1 },
    ],
    [
      'closes with the last success',
      { ...halfOpen, probesOut: 1, probeSuccesses: 2 },
      ended('success'),
      closedCircuit,
    ],
    [
      'opens again with one failure',
      { ...halfOpen, probesOut: 2, probeSuccesses: 2 },
      ended('failure'),
      { ...openCircuit, opens: 2 },
    ],
    [
      'forgets a probe that says nothing',
      { ...halfOpen, probesOut: 2 },
      ended('nothing'),
      { ...halfOpen, probesOut: 1 },
    ],
    ['replaces lost probes', { ...halfOpen, probesOut: 3 }, { kind: 'probes_lost' }, halfOpen],
    ['does not mind failures of older requests while half open', halfOpen, counted(0, 100), undefined],
  ])('%s', (_name, before, event, after) => {
    expect(nextCircuit(before, event, settings)).toEqual(after);
  });

  it('never has more probes out than are needed, and opens only past the threshold or by a failed probe', () => {
    const smallCount = fc.nat(40);
    const events = fc.array(
      fc.oneof(
        fc.record({
          kind: fc.constant('counted' as const),
          counts: fc.record({ successes: smallCount, failures: smallCount, timeouts: smallCount }),
        }),
        fc.constant({ kind: 'open_time_over' as const }),
        fc.constant({ kind: 'probe_wanted' as const }),
        fc.record({
          kind: fc.constant('probe_ended' as const),
          result: fc.constantFrom('success' as const, 'failure' as const, 'nothing' as const),
        }),
      ),
      { maxLength: 200 },
    );
    const anySettings = fc.record({
      errorShare: fc.double({ min: 0.05, max: 1, noNaN: true }),
      minRequests: fc.integer({ min: 1, max: 60 }),
      openMs: fc.constant(15_000),
      maxOpenMs: fc.constant(300_000),
      probes: fc.integer({ min: 1, max: 6 }),
    });
    fc.assert(
      fc.property(events, anySettings, (told, someSettings) => {
        let circuit: Circuit = closedCircuit;
        for (const event of told) {
          const next = nextCircuit(circuit, event, someSettings);
          if (next === undefined) continue;
          if (next.state === 'open') expect(mayOpen(circuit, event, someSettings)).toBe(true);
          if (next.state === 'closed') expect(circuit.probeSuccesses).toBe(someSettings.probes - 1);
          expect(next.probesOut + next.probeSuccesses).toBeLessThanOrEqual(someSettings.probes);
          expect(next.probesOut).toBeGreaterThanOrEqual(0);
          expect(next.opens > 0).toBe(next.state !== 'closed');
          circuit = next;
        }
      }),
    );
  });
});

describe('openDurationMs', () => {
  it('doubles with every time in a row, up to the cap', () => {
    expect([1, 2, 3, 4, 5, 6, 1000].map((opens) => openDurationMs(opens, settings))).toEqual([
      15_000, 30_000, 60_000, 120_000, 240_000, 300_000, 300_000,
    ]);
  });
});

function mayOpen(
  { state }: Circuit,
  event: CircuitEvent,
  { errorShare, minRequests }: CircuitSettings,
): boolean {
  if (event.kind === 'probe_ended') return state === 'half_open' && event.result === 'failure';
  if (event.kind !== 'counted' || state !== 'closed') return false;
  const { successes, failures, timeouts }: CircuitCounts = event.counts;
  const requests = successes + failures + timeouts;
  return requests >= minRequests && (failures + timeouts) / requests >= errorShare - Number.EPSILON;
}
