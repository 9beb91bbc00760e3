import type { StoresKind } from './chaos-settings.ts';
import type { Fault } from './fault-plan.ts';

/* Which kinds of faults struck, how often, and which that could have struck did not. */

const ofBoth = [
  'kill',
  'kill_at',
  'restart_in_order',
  'stop',
  'notify_again',
  'expire_leases',
  'disk_full',
  'clock_forward',
  'clock_back',
  'pause',
  'model_down',
  'budget_raised',
  'replay',
  'deploy',
] as const;

const ofServices = [
  'queue_away',
  'queue_emptied',
  'queue_read_only',
  'queue_full',
  'postgres_away',
  'postgres_disconnects',
  'postgres_cut',
  'postgres_read_only',
  'clickhouse_away',
  'clickhouse_away_at_start',
  'clickhouse_slow',
  'clickhouse_fails',
] as const;

export type FaultKind = (typeof ofBoth)[number] | (typeof ofServices)[number];

/** All that can strike on such stores. */
export function faultKindsOf(stores: StoresKind): readonly FaultKind[] {
  return stores === 'embedded' ? ofBoth : [...ofBoth, ...ofServices];
}

export function faultKindOf(fault: Fault): FaultKind {
  if (fault.kind !== 'clock_set') return fault.kind;
  return fault.byMs > 0 ? 'clock_forward' : 'clock_back';
}

/** Every kind that can strike on such stores with how often it did, 0 included. */
export function tallyOf(stores: StoresKind, struck: readonly FaultKind[]): ReadonlyMap<FaultKind, number> {
  const tally = new Map(faultKindsOf(stores).map((kind) => [kind, 0]));
  for (const kind of struck) tally.set(kind, (tally.get(kind) ?? 0) + 1);
  return tally;
}

/** Two lines for people: what struck how often, and what did not. */
export function tallyText(tally: ReadonlyMap<FaultKind, number>): string {
  const struck = [...tally].filter(([, count]) => count > 0).map(([kind, count]) => `${kind} ${count}`);
  const spared = [...tally].filter(([, count]) => count === 0).map(([kind]) => kind);
  return `faults by kind: ${struck.join(', ') || 'none'}\ndid not strike: ${spared.join(', ') || 'none, every kind did'}`;
}
