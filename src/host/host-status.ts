import type { StatusPart, StatusReading, StatusSources } from '../capabilities/status-part.ts';
import { CallLedger, type CallTotals } from '../engine/ledger/call-ledger.ts';
import { ExportLedger } from '../engine/export/export-ledger.ts';
import { type CountedKind, type LedgerCount, LedgerCounts } from '../engine/ledger/ledger-counts.ts';
import type { MessageState } from '../engine/ledger/message-state.ts';
import { type RecentCalls, readRecentCalls } from '../engine/ledger/recent-calls.ts';
import { ParkedMessages } from '../engine/ledger/parked-messages.ts';
import { Waits } from '../engine/ledger/waits.ts';
import type { Capability } from '../capabilities/capability.ts';
import { capabilities, type OwnCapability } from './capabilities.ts';
import type { UnionToIntersection } from './contributed.ts';
import { errorCodes } from './error-codes.ts';
import { explainWaits, type WaitReport } from './wait-reports.ts';

/** How many messages are in which state, over all stages. */
export type MessageCounts = Readonly<Record<MessageState, number>>;

/** The part of the status that stands without any capability. */
export interface EngineStatus {
  readonly messages: MessageCounts;
  readonly stages: readonly {
    /** Empty for the outputs of a pipeline. */
    readonly stage: string;
    readonly owner: string;
    readonly messages: MessageCounts;
    /** How long the oldest pending message has been due, in seconds. */
    readonly oldestSeconds: number;
  }[];
  /** The ledger's own sums; amounts are exact decimals. */
  readonly calls: CallTotals;
  /** What calls of the last hour wasted, and how they failed. */
  readonly lastHour: RecentCalls;
  /** What has not reached the column store yet. */
  readonly unexportedRecords: number;
  /** Pending messages that wait for something to be lifted, by its kind ("pause"). */
  readonly parked: Readonly<Record<string, number>>;
  /** Why work waits, for every reason: since when, until when, what would change it. */
  readonly waits: readonly WaitReport[];
}

type PartOf<One> = One extends { readonly status: () => Promise<infer Part> } ? Part : never;
type Parts = OwnCapability extends infer One ? PartOf<One> : never;
/** A host's state in figures: what stands without any capability, and what each adds. */
export type HostStatus = EngineStatus &
  UnionToIntersection<
    Parts extends infer Part ? (Part extends StatusPart<infer Members> ? Members : never) : never
  >;

/** What the capabilities add to the document of the state. */
export type PartsDocument = UnionToIntersection<
  Parts extends infer Part ? (Part extends StatusPart<infer _, infer Document> ? Document : never) : never
>;

export interface HostStatusSources extends StatusSources {
  /** Whether it is known that no host runs on this ledger. */
  readonly hasNoHost?: boolean;
  /** Whose parts there are. Default everything's. */
  readonly capabilities?: readonly Pick<Capability, 'name' | 'status'>[];
}

/** The state, as it was read part by part. */
export interface StatusByParts {
  readonly engine: EngineStatus;
  readonly parts: readonly StatusReading[];
}

/** Counts and sums as they stand. Sums the ledger's calls: for people, not for loops. */
export async function readHostStatus(sources: HostStatusSources): Promise<HostStatus> {
  const { engine, parts } = await readStatusByParts(sources);
  // Of a capability that is not there, nobody is there who would ask for its part.
  return Object.assign({}, engine, ...parts.map(({ members }) => members)) as HostStatus;
}

/** The parts of the status that capabilities have. */
export async function statusPartsOf(
  list: readonly Pick<Capability, 'name' | 'status'>[] = capabilities,
): Promise<readonly StatusPart[]> {
  return await Promise.all(list.flatMap(({ status }) => (status === undefined ? [] : [status()])));
}

/** The same, apart by who knows what. */
export async function readStatusByParts(sources: HostStatusSources): Promise<StatusByParts> {
  const { database, clock, hasNoHost = false } = sources;
  const waits = new Waits(database);
  const [counted, totals, lastHour, backlog, parked, waiting, parts] = await Promise.all([
    new LedgerCounts(database).read(),
    new CallLedger({ database, clock }).totals(),
    readRecentCalls(database),
    new ExportLedger(database).backlog(),
    new ParkedMessages(database).counts(),
    waits.list(),
    statusPartsOf(sources.capabilities).then((all) =>
      Promise.all(all.map((part) => part.read({ database, clock }))),
    ),
  ]);
  const counts = counted.filter(({ kind }) => kind !== 'unsettled');
  const names = [...new Set(counts.map((count) => count.stage))].toSorted();
  const due = await waits.listDue(namesOfPending(counts, parts));
  const engine: EngineStatus = {
    messages: countsOf(counts),
    stages: names.map((stage) => {
      const ofStage = counts.filter((count) => count.stage === stage);
      return {
        stage,
        owner: ofStage[0]?.owner ?? '',
        messages: countsOf(ofStage),
        oldestSeconds: Math.max(0, ...ofStage.filter(isDue).map((count) => count.oldestSeconds)),
      };
    }),
    calls: totals,
    lastHour,
    unexportedRecords: backlog.records,
    parked,
    waits: explainWaits({ waits: [...waiting, ...due], readings: parts, errors: errorCodes, hasNoHost }),
  };
  return { engine, parts };
}

const stateOf: Readonly<Record<CountedKind, MessageState | undefined>> = {
  ready: 'pending',
  delayed: 'pending',
  parked: 'pending',
  scheduled: 'pending',
  leased: 'leased',
  completed: 'completed',
  cancelled: 'cancelled',
  dead: 'dead_lettered',
  discarded: 'dead_lettered',
  unsettled: undefined,
};

function isPending({ kind }: LedgerCount): boolean {
  return stateOf[kind] === 'pending';
}

/** Whether they could be worked on now: what starts later, is put off or put aside is not late. */
function isDue({ kind }: LedgerCount): boolean {
  return kind === 'ready';
}

function countsOf(counts: readonly LedgerCount[]): MessageCounts {
  const sums = { pending: 0, leased: 0, completed: 0, dead_lettered: 0, cancelled: 0 };
  for (const { kind, count } of counts) {
    const state = stateOf[kind];
    if (state !== undefined) sums[state] += count;
  }
  return sums;
}

/** Stages with pending messages that nothing has stopped. */
function namesOfPending(
  counts: readonly LedgerCount[],
  readings: readonly StatusReading[],
): readonly string[] {
  const names = new Set(counts.flatMap((count) => (isPending(count) ? [count.stage] : [])));
  return [...names].filter((stage) => !readings.some(({ stops }) => stops?.(stage) === true));
}
