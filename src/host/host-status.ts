import type { Capability } from '../capabilities/capability.ts';
import { readBlockedModels } from '../capabilities/limits/blocked-models.ts';
import { ModelHealthStore, type TroubledModel } from '../capabilities/limits/model-health-store.ts';
import type { SqlDatabase } from '../drivers/sql-database/sql-database.ts';
import type { Clock } from '../kernel/clock.ts';
import { CallLedger, type CallTotals } from '../engine/ledger/call-ledger.ts';
import { ErasureLedger } from '../capabilities/erasure/erasure-ledger.ts';
import { ExportLedger } from '../engine/export/export-ledger.ts';
import { Holds, type ListedHold } from '../engine/ledger/holds.ts';
import { type CountedKind, type LedgerCount, LedgerCounts } from '../engine/ledger/ledger-counts.ts';
import type { MessageState } from '../engine/ledger/message-state.ts';
import { ParkedMessages } from '../engine/ledger/parked-messages.ts';
import { Waits } from '../engine/ledger/waits.ts';
import { describeErasure, type ErasureDocument } from '../capabilities/erasure/erasure-documents.ts';
import { explainWaits, type WaitReport } from '../capabilities/message-operations/wait-reports.ts';

/** How many messages are in which state, over all stages. */
export type MessageCounts = Readonly<Record<MessageState, number>>;

/** A host's state in figures. */
export interface HostStatus {
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
  /** What has not reached the column store yet. */
  readonly unexportedRecords: number;
  /** What operators have stopped, oldest first, with how many messages wait for it. */
  readonly holds: readonly ListedHold[];
  /** Pending messages that wait for something to be lifted, by its kind ("hold"). */
  readonly parked: Readonly<Record<string, number>>;
  /** Models whose circuit is not closed. */
  readonly circuits: readonly TroubledModel[];
  /** Erasures at work, and those that were given up in the last seven days. */
  readonly erasures: readonly ErasureDocument[];
  /** Why work waits, for every reason: since when, until when, what would change it. */
  readonly waits: readonly WaitReport[];
}

export interface StatusSources {
  readonly database: SqlDatabase;
  readonly clock: Clock;
  /** Whether it is known that no host runs on this ledger. */
  readonly hasNoHost?: boolean;
  /** Who tells why messages wait. Default all. */
  readonly capabilities?: readonly Pick<Capability<unknown>, 'explainWaits'>[];
}

/** Counts and sums as they stand. Sums the ledger's calls: for people, not for loops. */
export async function readHostStatus({
  database,
  clock,
  hasNoHost = false,
  capabilities,
}: StatusSources): Promise<HostStatus> {
  const waits = new Waits(database);
  // Loaded when it is read: --help comes by here.
  const list = capabilities ?? (await import('./capabilities.ts')).capabilities;
  const [counted, totals, backlog, standing, parked, waiting, told, circuits, blocked, erasures] =
    await Promise.all([
      new LedgerCounts(database).read(),
      new CallLedger({ database, clock }).totals(),
      new ExportLedger(database).backlog(),
      new Holds({ database, clock }).list(),
      new ParkedMessages(database).counts(),
      waits.list(),
      Promise.all(list.map(async (one) => await one.explainWaits?.(database))),
      new ModelHealthStore(database).troubled(),
      readBlockedModels(database),
      new ErasureLedger({ database, clock }).listTroubled(),
    ]);
  const counts = counted.filter(({ kind }) => kind !== 'unsettled');
  const names = [...new Set(counts.map((count) => count.stage))].toSorted();
  const due = await waits.listDue(namesOfPending(counts, standing));
  return {
    messages: countsOf(counts),
    stages: names.map((stage) => {
      const ofStage = counts.filter((count) => count.stage === stage);
      return {
        stage,
        owner: ofStage[0]?.owner ?? '',
        messages: countsOf(ofStage),
        oldestSeconds: Math.max(0, ...ofStage.filter(isPending).map((count) => count.oldestSeconds)),
      };
    }),
    calls: totals,
    unexportedRecords: backlog.records,
    holds: standing,
    parked,
    circuits,
    erasures: erasures.map((erasure) => describeErasure(erasure)),
    waits: explainWaits({
      waits: [...waiting, ...due],
      holds: standing,
      explanations: Object.fromEntries(told.flatMap((one) => Object.entries(one ?? {}))),
      circuits,
      blocked,
      hasNoHost,
      now: clock.now(),
    }),
  };
}

const stateOf: Readonly<Record<CountedKind, MessageState | undefined>> = {
  ready: 'pending',
  delayed: 'pending',
  parked: 'pending',
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

function countsOf(counts: readonly LedgerCount[]): MessageCounts {
  const sums = { pending: 0, leased: 0, completed: 0, dead_lettered: 0, cancelled: 0 };
  for (const { kind, count } of counts) {
    const state = stateOf[kind];
    if (state !== undefined) sums[state] += count;
  }
  return sums;
}

/** Stages with pending messages that no operator has stopped. */
function namesOfPending(counts: readonly LedgerCount[], holds: readonly ListedHold[]): readonly string[] {
  if (holds.some(({ scope }) => scope === 'all')) return [];
  const held = new Set(holds.flatMap(({ scope, value }) => (scope === 'stage' ? [value] : [])));
  const names = counts.flatMap((count) => (isPending(count) && !held.has(count.stage) ? [count.stage] : []));
  return [...new Set(names)];
}
