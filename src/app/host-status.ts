import type { CallLedger, CallTotals } from '../ledger/call-ledger.ts';
import type { ExportLedger } from '../ledger/export-ledger.ts';
import type { Holds, ListedHold } from '../ledger/holds.ts';
import type { MessageState } from '../ledger/message-state.ts';
import type { ParkedMessages } from '../ledger/parked-messages.ts';
import type { SweepLedger } from '../ledger/sweep-ledger.ts';

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
  /** Pending messages that wait for something to be lifted, by its kind ("hold", "budget"). */
  readonly parked: Readonly<Record<string, number>>;
}

export interface StatusSources {
  readonly sweeps: SweepLedger;
  readonly calls: CallLedger;
  readonly exports: ExportLedger;
  readonly holds: Holds;
  readonly parked: ParkedMessages;
}

/** Counts and sums as they stand. Reads the whole ledger: for people, not for loops. */
export async function readHostStatus({
  sweeps,
  calls,
  exports,
  holds,
  parked,
}: StatusSources): Promise<HostStatus> {
  const [counts, totals, backlog, standing, waiting] = await Promise.all([
    sweeps.count(),
    calls.totals(),
    exports.backlog(),
    holds.list(),
    parked.counts(),
  ]);
  const names = [...new Set(counts.map((count) => count.stage))].toSorted();
  return {
    messages: countsOf(counts),
    stages: names.map((stage) => {
      const ofStage = counts.filter((count) => count.stage === stage);
      return {
        stage,
        owner: ofStage[0]?.owner ?? '',
        messages: countsOf(ofStage),
        oldestSeconds: ofStage.find((count) => count.state === 'pending')?.oldestSeconds ?? 0,
      };
    }),
    calls: totals,
    unexportedRecords: backlog.records,
    holds: standing,
    parked: waiting,
  };
}

function countsOf(
  counts: readonly { readonly state: MessageState; readonly count: number }[],
): MessageCounts {
  const sums = { pending: 0, leased: 0, completed: 0, dead_lettered: 0, cancelled: 0 };
  for (const { state, count } of counts) sums[state] += count;
  return sums;
}
