import type { BillEntry } from '../../src/simulator/bill.ts';
import type { BatchRunEvidence, BatchStoreEvidence } from './batch-evidence.ts';
import type { RunLimits } from './chaos-settings.ts';
import type { OrderedPause, ReportEvidence } from './orders.ts';
import type { RequestRecord } from './request-record.ts';

/* All that a run left behind, from four witnesses: ledger, the trigger's history, ClickHouse, the simulator's bill. */

export interface OriginEvidence {
  readonly team: string;
  readonly customer: string;
  readonly feature: string;
  /** Empty when there is none. */
  readonly batch: string;
}

export interface MessageEvidence extends OriginEvidence {
  readonly id: string;
  readonly root_id: string;
  readonly parent_id: string | null;
  readonly event_id: string;
  readonly type: string;
  readonly version: number;
  readonly lane: string;
  readonly parked_for: string | null;
  readonly order_key: string | null;
  readonly order_place: number | null;
  /** The branch of a join that it belongs to. */
  readonly branch_id: string | null;
  /** The join that it waited for. */
  readonly join_id: string | null;
  /** Empty for an output. */
  readonly stage: string;
  readonly state: 'pending' | 'leased' | 'completed' | 'dead_lettered' | 'cancelled';
  readonly fencing_token: number;
  readonly labels: string | null;
  /** Failed attempts of its last life that counted. */
  readonly attempts: number;
  readonly result: string | null;
  readonly error_code: string | null;
  /** From its data. */
  readonly data: {
    readonly key: string;
    readonly parts?: number;
    readonly index?: number;
    readonly cause?: string;
    /** The digest of its odd data; "none" without any. */
    readonly odd: string;
  };
}

/** One failed attempt, as the ledger keeps it. */
export interface FailureEvidence {
  readonly message_id: string;
  readonly fencing_token: number;
  readonly code: string;
  /** JSON: the chain of causes. */
  readonly detail: string;
}

export interface CallEvidence {
  readonly id: string;
  readonly message_id: string | null;
  readonly fencing_token: number | null;
  readonly provider: string;
  readonly model: string;
  readonly fallback_from: string | null;
  readonly step: string;
  readonly ordinal: number;
  readonly attempt: number;
  /** `batch`: in a provider's batch, and not by itself. */
  readonly request_kind: string;
  /** Why it bought nothing; null when it did. */
  readonly waste_reason: string | null;
  readonly state: 'reserved' | 'settled' | 'unsettled';
  readonly outcome: string | null;
  readonly settlement: string | null;
  /** One that may be given again: it was recorded, and not invalidated. */
  readonly has_answer: boolean;
  /** Its reported usage was not believed. */
  readonly is_suspect: boolean;
  readonly reserved_ms: number;
  readonly settled_ms: number | null;
  readonly cost_usd: string | null;
  readonly upper_bound_usd: string | null;
}

/** One change of a message, as the trigger saw it. Times are milliseconds with fractions, of the database's clock. */
export interface HistoryEvidence {
  readonly message_id: string;
  readonly at_ms: number;
  readonly from_state: string | null;
  readonly to_state: string;
  readonly from_fencing_token: number | null;
  readonly to_fencing_token: number;
  readonly held_by: string | null;
  readonly taken_by: string | null;
  readonly held_until_ms: number | null;
  readonly leased_ms: number | null;
  readonly available_ms: number;
  readonly parked_for: string | null;
  /** The transaction that made the change. */
  readonly xact: string;
  readonly client: string | null;
}

/** The usage records of one call in ClickHouse, summed. */
export interface UsageEvidence extends OriginEvidence {
  readonly call_id: string;
  readonly message_id: string;
  readonly records: number;
  readonly distinct_records: number;
  readonly calls: number;
  readonly cost_usd: string;
  readonly upper_bound_usd: string;
  readonly unsettled: number;
  readonly estimated: number;
  readonly unpriced: number;
  readonly suspect: number;
}

export interface OutcomeEvidence extends OriginEvidence {
  readonly message_id: string;
  readonly outcome: string;
  readonly deliveries: number;
}

/** A branch of a join, with the join. */
export interface BranchEvidence {
  readonly id: string;
  readonly join_id: string;
  readonly state: string;
  readonly quorum: number | null;
  readonly ended: number;
  readonly succeeded: number;
  readonly released_by: string | null;
}

export interface StoreEvidence {
  readonly branches: readonly BranchEvidence[];
  readonly messages: readonly MessageEvidence[];
  readonly calls: readonly CallEvidence[];
  readonly failures: readonly FailureEvidence[];
  readonly history: readonly HistoryEvidence[];
  readonly usage: readonly UsageEvidence[];
  readonly outcomes: readonly OutcomeEvidence[];
  readonly batches: BatchStoreEvidence;
  /** By the audit of what operators do. */
  readonly replays: readonly ReplayEvidence[];
  /** What the rollups of ClickHouse by the hour and by the day come to. */
  readonly rollups: readonly { readonly table: string; readonly calls: number; readonly cost_usd: string }[];
  readonly unexported: { readonly records: number; readonly batches: number };
  /** What still stands or is promised. */
  readonly left: { readonly pauses: number; readonly reserved_usd: string };
}

/** One end of a message that a replay opened again. */
export interface ReplayEvidence {
  readonly message_id: string;
  /** The last fencing token of the life that had ended. */
  readonly fencing_token: number;
  readonly actor: string;
}

/** A pause, and between which moments it counted everywhere; times are the machine's, as the database's are. */
export interface PauseEvidence extends OrderedPause {
  /** When it was asked for: from then on it may have counted. */
  readonly askedMs: number;
  readonly fromMs: number;
  readonly toMs: number;
}

/** A worker that could not reach the database, and nobody told it. */
export interface CutEvidence {
  readonly worker: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** ClickHouse was away for long. */
export interface OutageEvidence {
  readonly fromMs: number;
  readonly toMs: number;
  /** How many records waited for it when it came back. */
  readonly waiting: number;
  /** How long it took until all of those were exported; absent when it did not come to that. */
  readonly caughtUpMs?: number;
}

export interface Evidence extends StoreEvidence {
  readonly seed: number;
  /** Absent in a run without batches. */
  readonly batchRun?: BatchRunEvidence;
  readonly bill: readonly BillEntry[];
  /** Which of the workload were acknowledged to their sender, and which were sent at all. */
  readonly acknowledged: ReadonlySet<number>;
  readonly sent: ReadonlySet<number>;
  /** Admissions that had to be refused: how many were tried, and what was wrong about the refusals. */
  readonly refusals: { readonly tried: number; readonly wrong: readonly string[] };
  /** Whether several processes shared the ledger, so that connections tell who wrote. */
  readonly hasClients: boolean;
  /** Processes that ended without having been killed. */
  readonly crashes: readonly string[];
  /** What processes logged that no fault can cause. */
  readonly defects: readonly string[];
  readonly pauses: readonly PauseEvidence[];
  readonly cuts: readonly CutEvidence[];
  readonly outages: readonly OutageEvidence[];
  /** Cost reports that were asked for during the run: answers, refusals by code, and what the last one says. */
  readonly reports: {
    readonly answered: number;
    readonly refused: Readonly<Record<string, number>>;
    readonly longestMs: number;
    readonly last?: ReportEvidence;
  };
  /** The requests of the worker that is cut off. */
  readonly requests: readonly RequestRecord[];
  readonly limits: RunLimits;
  /** How often the budgets were added up during the run, and what was found. */
  readonly budgets: { readonly looks: number; readonly faults: readonly string[] };
}
