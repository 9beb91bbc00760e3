/*
 * The circuit of one model: whether requests may go out to it.
 *
 *   closed ──► open        the share of failures and time-outs over a window reached the threshold, by enough requests
 *   open ──► half_open     its time is over
 *   half_open ──► closed   as many probes succeeded as are asked for
 *   half_open ──► open     a probe failed; each time in a row twice as long as before, up to a cap
 *
 * Half open, only probes go out: never more at once than are still needed. A probe that says nothing about the provider
 * (aborted, refused for its own sake, lost with its process) counts as never made.
 */

/** When a circuit opens, for how long, and what closes it again. */
export interface CircuitSettings {
  /** Share of failures and time-outs, from 0 to 1, at which it opens. */
  readonly errorShare: number;
  /** Requests that the window must hold before anything is judged. */
  readonly minRequests: number;
  /** How long it is open the first time. */
  readonly openMs: number;
  readonly maxOpenMs: number;
  /** Successful probes that close it; and the most that are out at once. */
  readonly probes: number;
}

/** How the requests of a window ended. Time-outs are not among the failures. */
export interface CircuitCounts {
  readonly successes: number;
  readonly failures: number;
  readonly timeouts: number;
}

export type CircuitState = 'closed' | 'open' | 'half_open';

export interface Circuit {
  readonly state: CircuitState;
  /** How often in a row it has opened; 0 while closed. */
  readonly opens: number;
  readonly probesOut: number;
  readonly probeSuccesses: number;
}

export type CircuitEvent =
  | { readonly kind: 'counted'; readonly counts: CircuitCounts }
  | { readonly kind: 'open_time_over' }
  | { readonly kind: 'probe_wanted' }
  | { readonly kind: 'probe_ended'; readonly result: 'success' | 'failure' | 'nothing' }
  /** Probes are out that nobody has heard of for too long. */
  | { readonly kind: 'probes_lost' };

export const closedCircuit: Circuit = { state: 'closed', opens: 0, probesOut: 0, probeSuccesses: 0 };

/** What happens to the circuit; undefined when the event changes nothing. */
export function nextCircuit(
  circuit: Circuit,
  event: CircuitEvent,
  settings: CircuitSettings,
): Circuit | undefined {
  switch (circuit.state) {
    case 'closed':
      return event.kind === 'counted' && isSick(event.counts, settings) ? opened(circuit) : undefined;
    case 'open':
      return event.kind === 'open_time_over' ? { ...circuit, state: 'half_open' } : undefined;
    case 'half_open':
      return nextHalfOpen(circuit, event, settings);
  }
}

function nextHalfOpen(
  circuit: Circuit,
  event: CircuitEvent,
  { probes }: CircuitSettings,
): Circuit | undefined {
  const { probesOut, probeSuccesses } = circuit;
  switch (event.kind) {
    case 'counted':
    case 'open_time_over':
      return undefined;
    case 'probe_wanted':
      return probesOut + probeSuccesses < probes ? { ...circuit, probesOut: probesOut + 1 } : undefined;
    case 'probes_lost':
      return probesOut === 0 ? undefined : { ...circuit, probesOut: 0 };
    case 'probe_ended': {
      // One that had been taken for lost may come back after all.
      const out = Math.max(0, probesOut - 1);
      if (event.result === 'failure') return opened(circuit);
      if (event.result === 'nothing') return { ...circuit, probesOut: out };
      if (probeSuccesses + 1 >= probes) return closedCircuit;
      return { ...circuit, probesOut: out, probeSuccesses: probeSuccesses + 1 };
    }
  }
}

function opened({ opens }: Circuit): Circuit {
  return { state: 'open', opens: opens + 1, probesOut: 0, probeSuccesses: 0 };
}

function isSick(counts: CircuitCounts, { errorShare, minRequests }: CircuitSettings): boolean {
  const bad = counts.failures + counts.timeouts;
  const requests = bad + counts.successes;
  return bad > 0 && requests >= minRequests && bad >= errorShare * requests;
}

/** How long a circuit that has opened so often in a row stays open, in milliseconds. */
export function openDurationMs(opens: number, { openMs, maxOpenMs }: CircuitSettings): number {
  return Math.min(openMs * 2 ** Math.min(Math.max(opens - 1, 0), 30), maxOpenMs);
}
