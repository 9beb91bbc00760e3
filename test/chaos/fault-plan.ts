import type { FaultRuleInput } from '../../src/simulator/simulator-config.ts';
import type { StoresKind } from './chaos-settings.ts';
import type { FaultPoint } from './fault-points.ts';
import type { OrderedPause } from './orders.ts';
import { SeededRandom } from './seeded-random.ts';

/*
 * What goes wrong in a run and when: a pure function of seed, stores and number of faults. Times are shares of the
 * work (the part of all expected messages that has ended), so that a plan fits any machine. All kinds are dealt from
 * a shuffled deck, and the deck is dealt again when it is used up: a long run meets every kind, short ones differ.
 */

export type Fault =
  | { readonly kind: 'kill'; readonly target: string; readonly awayMs: number }
  | { readonly kind: 'kill_at'; readonly target: string; readonly point: FaultPoint; readonly awayMs: number }
  | { readonly kind: 'restart_in_order'; readonly target: string }
  /** Stopped for longer than a lease, and then going on as if nothing had been. */
  | { readonly kind: 'stop'; readonly target: string; readonly forMs: number }
  | { readonly kind: 'notify_again'; readonly count: number; readonly salt: string }
  | { readonly kind: 'expire_leases'; readonly target: string }
  | { readonly kind: 'queue_away' | 'postgres_away' | 'clickhouse_away'; readonly awayMs: number }
  | { readonly kind: 'queue_emptied' | 'postgres_disconnects' }
  /** Nothing goes between the worker and PostgreSQL, for longer than a lease; nobody is told. */
  | {
      readonly kind: 'postgres_cut';
      readonly target: string;
      readonly forMs: number;
      readonly end: 'resume' | 'reset';
    }
  /** The server answers, and refuses every write: READONLY, or over its memory (`queue_full`). */
  | { readonly kind: 'postgres_read_only' | 'queue_read_only' | 'queue_full'; readonly forMs: number }
  /** ClickHouse is away, under load, and a process starts without it. */
  | { readonly kind: 'clickhouse_away_at_start'; readonly target: string; readonly awayMs: number }
  | { readonly kind: 'clock_set'; readonly target: string; readonly byMs: number; readonly forMs: number }
  /** The next inserts take this long. */
  | { readonly kind: 'clickhouse_slow'; readonly times: number; readonly delayMs: number }
  | { readonly kind: 'disk_full'; readonly target: string; readonly forMs: number }
  | { readonly kind: 'pause'; readonly pause: OrderedPause; readonly forMs: number }
  /** Nothing but errors from one model. */
  | { readonly kind: 'model_down'; readonly model: string; readonly forMs: number }
  | { readonly kind: 'budget_raised' }
  /** An operator lets all dead letters live again. */
  | { readonly kind: 'replay' }
  /** All processes are restarted in order as release 2: who consumes first, who sends last. */
  | { readonly kind: 'deploy' }
  /** The next insert: dies after it was accepted, is cut off before, or is refused. */
  | {
      readonly kind: 'clickhouse_fails';
      readonly how: 'die-after' | 'cut' | 'refuse';
      readonly awayMs: number;
    };

export interface PlannedFault {
  /** From 0 to 1. */
  readonly atShare: number;
  readonly fault: Fault;
}

export interface PlanOptions {
  readonly seed: number;
  readonly stores: StoresKind;
  readonly faults: number;
  /** How many worker processes, on services. Default 2. */
  readonly workers?: number;
}

/** Who runs what, the admitting process first. The embedded host does everything in one process. */
export function rolesOf(
  stores: StoresKind,
  workers = defaultWorkers,
): Readonly<Record<string, readonly ('api' | 'worker' | 'maintenance')[]>> {
  if (stores === 'embedded') return { host: ['api', 'worker', 'maintenance'] };
  const each = workerNames(workers).map((name) => [name, ['worker'] as const]);
  return { api: ['api'], ...Object.fromEntries(each), maintenance: ['maintenance'] };
}

const defaultWorkers = 2;

function workerNames(workers: number): readonly string[] {
  return Array.from({ length: workers }, (_, index) => `worker-${index + 1}`);
}

/** Longer than the shortest lease, which is 15 s. */
const stopMs = 17_000;
const lastShare = 0.9;
/** The worker whose way to PostgreSQL can be cut, and for how long: longer than its leases. */
export const cutWorker = 'worker-1';
const cutMs = 19_000;
/** Many times the exporter's pause, as ten minutes are many times that of production. */
const longAwayMs = 20_000;

export function planFaults({
  seed,
  stores,
  faults,
  workers = defaultWorkers,
}: PlanOptions): readonly PlannedFault[] {
  const random = new SeededRandom(`plan/${stores}/${seed}`);
  const dealt: Fault[] = [];
  for (let deal = 0; dealt.length < faults; deal += 1) {
    const deck =
      stores === 'embedded' ? embeddedDeck(random, deal) : servicesDeck(random, deal, workerNames(workers));
    dealt.push(...random.shuffle(deck).slice(0, faults - dealt.length));
  }
  const planned = dealt.map((fault, index) => ({
    atShare: Math.round(((index + random.next()) / faults) * lastShare * 1000) / 1000,
    fault,
  }));
  // Every run has these, however short it is.
  const always: PlannedFault[] =
    faults === 0
      ? []
      : [
          { atShare: 0.15, fault: pause(random) },
          { atShare: 0.25, fault: { kind: 'deploy' } },
          { atShare: 0.45, fault: { kind: 'replay' } },
          { atShare: 0.65, fault: { kind: 'budget_raised' } },
          { atShare: 0.8, fault: { kind: 'replay' } },
          ...troublesOfEveryRun(random, stores),
        ];
  return [...planned, ...always].toSorted((left, right) => left.atShare - right.atShare);
}

/** The plan with ClickHouse away from its beginning, instead of all else that would befall ClickHouse. */
export function withClickHouseAway(plan: readonly PlannedFault[], awayMs: number): readonly PlannedFault[] {
  const others = plan.filter(({ fault }) => !fault.kind.startsWith('clickhouse'));
  const away: PlannedFault = { atShare: 0.01, fault: { kind: 'clickhouse_away', awayMs } };
  return [away, ...others].toSorted((left, right) => left.atShare - right.atShare);
}

function pause(random: SeededRandom): Fault {
  const [scope, value] = random.pick<readonly [OrderedPause['scope'], string]>([
    ['stage', 'enrich'],
    ['stage', 'triage'],
    ['customer', 'customer-1'],
    ['customer', 'customer-3'],
    ['model', 'openai/gpt-5-mini'],
    ['model', 'openai/gpt-4.1-mini'],
  ]);
  return {
    kind: 'pause',
    pause: { scope, value, aborts: random.next() < 0.5 },
    forMs: random.whole(1000, 3000),
  };
}

const hourMs = 3_600_000;

function clockSet(random: SeededRandom, target: string, byMs: number): Fault {
  return { kind: 'clock_set', target, byMs, forMs: random.whole(2000, 6000) };
}

/** What befalls both kinds of stores besides deaths. */
function troubles(random: SeededRandom, target: () => string): Fault[] {
  return [
    pause(random),
    pause(random),
    { kind: 'model_down', model: 'gpt-5-mini', forMs: random.whole(1500, 3000) },
    { kind: 'disk_full', target: target(), forMs: random.whole(500, 3000) },
    clockSet(random, target(), hourMs),
    clockSet(random, target(), -hourMs),
  ];
}

/** What nobody may be spared: a full disk, clocks an hour off, and on services every server that refuses writes. */
function troublesOfEveryRun(random: SeededRandom, stores: StoresKind): PlannedFault[] {
  const isEmbedded = stores === 'embedded';
  const target = (): string => (isEmbedded ? 'host' : random.pick(['worker-1', 'worker-2', 'api']));
  const forMs = (): number => random.whole(1000, 3000);
  const faults: readonly Fault[] = [
    { kind: 'disk_full', target: target(), forMs: forMs() },
    clockSet(random, target(), hourMs),
    clockSet(random, target(), -hourMs),
    ...(isEmbedded
      ? []
      : ([
          { kind: 'postgres_away', awayMs: forMs() },
          { kind: 'postgres_read_only', forMs: forMs() },
          { kind: 'queue_read_only', forMs: forMs() },
          { kind: 'queue_full', forMs: forMs() },
        ] as const)),
  ];
  return faults.map((fault) => ({ atShare: random.whole(50, 850) / 1000, fault }));
}

const workerPoints = [
  'ledger.claim_messages',
  'ledger.reserve_calls',
  'request',
  'ledger.settle_calls',
  'ledger.reserve_quota_calls',
  'ledger.settle_quota_calls',
  'ledger.park_messages',
  'ledger.finish_messages',
  'queue.add',
];
const maintenancePoints = ['ledger.bind_export_batch', 'columns.insert', 'ledger.mark_exported'];
const whens = ['before', 'during', 'after'] as const;

function killsAt(
  random: SeededRandom,
  target: () => string,
  names: readonly string[],
  mostTimes: number,
): Fault[] {
  return names.flatMap((name) =>
    whens.map((when) => ({
      kind: 'kill_at' as const,
      target: target(),
      point: {
        name,
        when,
        nth: random.whole(1, mostTimes),
        delayMs: random.whole(0, name === 'request' ? 40 : 3),
      },
      awayMs: random.whole(0, 500),
    })),
  );
}

function embeddedDeck(random: SeededRandom, deal: number): Fault[] {
  const host = (): string => 'host';
  const kill = (): Fault => ({ kind: 'kill', target: 'host', awayMs: random.whole(0, 500) });
  return [
    kill(),
    kill(),
    kill(),
    ...killsAt(random, host, workerPoints, 6),
    ...troubles(random, host),
    ...killsAt(random, host, maintenancePoints, 2),
    ...killsAt(random, host, ['ledger.admit_messages', 'ledger.retry_messages'], 3),
    { kind: 'restart_in_order', target: 'host' },
    ...notifyAgain(random, deal),
    ...[1, 2].map(() => ({ kind: 'expire_leases' as const, target: 'host' })),
    { kind: 'stop', target: 'host', forMs: random.whole(500, 3000) },
  ];
}

function servicesDeck(random: SeededRandom, deal: number, workers: readonly string[]): Fault[] {
  const [first = cutWorker, ...others] = workers;
  const worker = (): string => random.pick([first, ...others]);
  const awayMs = (): number => random.whole(200, 2500);
  return [
    ...[...workers, 'maintenance', 'api'].map((target) => ({
      kind: 'kill' as const,
      target,
      awayMs: awayMs(),
    })),
    ...killsAt(random, worker, workerPoints, 6),
    ...troubles(random, () => random.pick([first, ...others, 'api'])),
    ...(['resume', 'reset'] as const).map((end) => ({
      kind: 'postgres_cut' as const,
      target: cutWorker,
      forMs: cutMs,
      end,
    })),
    { kind: 'clickhouse_slow', times: random.whole(1, 4), delayMs: random.whole(1000, 4000) },
    ...killsAt(random, () => 'maintenance', [...maintenancePoints, 'queue.add'], 2),
    ...killsAt(random, () => 'api', ['ledger.admit_messages', 'queue.add'], 2),
    ...['worker-1', 'maintenance'].map((target) => ({ kind: 'restart_in_order' as const, target })),
    { kind: 'stop', target: worker(), forMs: stopMs },
    { kind: 'stop', target: 'maintenance', forMs: stopMs },
    ...notifyAgain(random, deal),
    { kind: 'expire_leases', target: 'api' },
    { kind: 'queue_away', awayMs: awayMs() },
    { kind: 'queue_emptied' },
    { kind: 'queue_emptied' },
    { kind: 'postgres_away', awayMs: awayMs() },
    { kind: 'postgres_disconnects' },
    { kind: 'postgres_disconnects' },
    { kind: 'clickhouse_away', awayMs: awayMs() },
    { kind: 'clickhouse_away', awayMs: longAwayMs },
    { kind: 'clickhouse_away_at_start', target: random.pick(['worker-1', 'maintenance']), awayMs: 6000 },
    { kind: 'postgres_read_only', forMs: random.whole(1000, 4000) },
    { kind: 'queue_read_only', forMs: random.whole(1000, 4000) },
    { kind: 'queue_full', forMs: random.whole(1000, 4000) },
    ...(['die-after', 'cut', 'refuse'] as const).map((how) => ({
      kind: 'clickhouse_fails' as const,
      how,
      awayMs: awayMs(),
    })),
  ];
}

function notifyAgain(random: SeededRandom, deal: number): Fault[] {
  return [1, 2].map((turn) => ({
    kind: 'notify_again',
    count: random.whole(5, 40),
    salt: `${deal}.${turn}.${random.whole(0, 9999)}`,
  }));
}

/** A provider's bad day. Rates are low enough that most messages get through their attempts. */
export const providerFaults: readonly FaultRuleInput[] = [
  { fault: 'rate_limit', probability: 0.03, retryAfterMs: 150 },
  { fault: 'server_error', probability: 0.02 },
  { fault: 'overloaded', probability: 0.01 },
  // Of the other provider clients wait long for an answer.
  { fault: 'hang', probability: 0.003, match: { provider: 'openai' } },
  { fault: 'hang_billed', probability: 0.003, match: { provider: 'openai' } },
  { fault: 'cut_stream', probability: 0.02 },
  { fault: 'malformed', probability: 0.005 },
  { fault: 'empty', probability: 0.004 },
  { fault: 'missing_usage', probability: 0.01 },
  { fault: 'usage_absurd', probability: 0.015 },
  { fault: 'usage_zero', probability: 0.01 },
  { fault: 'usage_negative', probability: 0.01 },
  { fault: 'usage_text', probability: 0.01 },
  { fault: 'usage_fraction', probability: 0.01 },
  { fault: 'usage_decreasing', probability: 0.03 },
  { fault: 'nul_text', probability: 0.01 },
  { fault: 'bad_json', probability: 0.004 },
  { fault: 'content_policy', probability: 0.002 },
  { fault: 'context_too_long', probability: 0.001 },
  { fault: 'slow', probability: 0.01, delayMs: 400 },
  { fault: 'gateway_timeout', probability: 0.003 },
];

/** One line for people. */
export function describeFault(fault: Fault): string {
  switch (fault.kind) {
    case 'kill':
      return `SIGKILL ${fault.target}`;
    case 'kill_at':
      return `SIGKILL ${fault.target} ${fault.point.when} ${fault.point.name} (the ${fault.point.nth}. from now)`;
    case 'restart_in_order':
      return `SIGTERM ${fault.target}`;
    case 'stop':
      return `SIGSTOP ${fault.target} for ${fault.forMs} ms`;
    case 'notify_again':
      return `wake ${fault.count} messages twice, out of order`;
    case 'expire_leases':
      return 'all leases run out';
    case 'queue_away':
    case 'postgres_away':
    case 'clickhouse_away':
      return `${fault.kind.replace('_', ' ')} for ${fault.awayMs} ms`;
    case 'clickhouse_away_at_start':
      return `clickhouse away for ${fault.awayMs} ms, and ${fault.target} starts without it`;
    case 'postgres_read_only':
    case 'queue_read_only':
    case 'queue_full':
      return `${fault.kind.replace('_', ' ').replace('_', '-')} for ${fault.forMs} ms`;
    case 'clock_set':
      return `the clock of ${fault.target} is set by ${fault.byMs / 60_000} min for ${fault.forMs} ms`;
    case 'queue_emptied':
      return 'the queue is emptied';
    case 'postgres_disconnects':
      return 'PostgreSQL terminates all connections';
    case 'postgres_cut':
      return `${fault.target} cannot reach PostgreSQL for ${fault.forMs} ms (then: ${fault.end})`;
    case 'clickhouse_slow':
      return `ClickHouse takes ${fault.delayMs} ms for each of ${fault.times} inserts`;
    case 'disk_full':
      return `the disk of ${fault.target} is full for ${fault.forMs} ms`;
    case 'pause':
      return `pause on ${fault.pause.scope} ${fault.pause.value} for ${fault.forMs} ms${fault.pause.aborts ? ', aborting' : ''}`;
    case 'model_down':
      return `${fault.model} answers with errors for ${fault.forMs} ms`;
    case 'budget_raised':
      return 'the scarce budget is raised';
    case 'replay':
      return 'all dead letters are replayed';
    case 'deploy':
      return 'release 2 is deployed';
    case 'clickhouse_fails':
      return `ClickHouse: the next insert: ${fault.how}`;
  }
}
