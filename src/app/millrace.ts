import type { SqlStatement } from '../drivers/sql-database/sql-database.ts';
import type { CallTotals } from '../ledger/call-ledger.ts';
import type { MessageState } from '../ledger/message-state.ts';
import type { MessageVersion } from '../messages/message-type.ts';
import type { AdmissionReceipt, AdmitOptions } from '../pipeline/admissions.ts';
import type { DataOf } from '../pipeline/stage-context.ts';
import type { Host } from './host.ts';

/** How many messages are in which state, over all stages. */
export type MessageCounts = Readonly<Record<MessageState, number>>;

/** A host's state in figures. */
export interface HostStatus {
  readonly messages: MessageCounts;
  readonly stages: readonly {
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
}

const probe: SqlStatement = { name: 'ledger.probe_open', text: 'select 1 as one from millrace.messages where wake_at is not null limit 1' };

/** What an application uses of Millrace: inject it, admit messages, ask how things stand. */
export class Millrace {
  readonly #host: Host;

  constructor(host: Host) {
    this.#host = host;
  }

  /**
   * Admits a message: checked, durable in the ledger, its stage woken. Throws MILLRACE_ORIGIN_INVALID,
   * MILLRACE_MESSAGE_INVALID, MILLRACE_MESSAGE_TYPE_UNKNOWN, MILLRACE_MESSAGE_VERSION_UNSUPPORTED or
   * MILLRACE_MESSAGE_TOO_LARGE, with nothing written.
   */
  admit<Version extends MessageVersion>(
    version: Version,
    data: DataOf<Version>,
    options: AdmitOptions,
  ): Promise<AdmissionReceipt> {
    return this.#host.admissions.admit(version, data, options);
  }

  /** Whether nothing is pending or being worked on. */
  async isIdle(): Promise<boolean> {
    const { rows } = await this.#host.stores.database.query(probe);
    return rows.length === 0;
  }

  /** Brings everything that is settled into the column store now. */
  async flushUsage(): Promise<void> {
    await this.#host.exporter.drain();
  }

  /** Counts and sums as they stand. Reads the whole ledger: for people, not for loops. */
  async status(): Promise<HostStatus> {
    const { sweeps, calls, exports } = this.#host;
    const [counts, totals, backlog] = await Promise.all([sweeps.count({ all: true }), calls.totals(), exports.backlog()]);
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
    };
  }
}

function countsOf(counts: readonly { readonly state: MessageState; readonly count: number }[]): MessageCounts {
  const sums = { pending: 0, leased: 0, completed: 0, dead_lettered: 0, cancelled: 0 };
  for (const { state, count } of counts) sums[state] += count;
  return sums;
}
