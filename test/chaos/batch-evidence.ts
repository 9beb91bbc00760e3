import type { BatchAccount } from './batch-answers.ts';
import type { Steering } from './batch-workload.ts';

/* What the batches of a run left behind: in the ledger, in the suite's own history, and at the providers. */

/** Of the ledger. */
export interface BatchRow {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly items: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly expired: number;
  readonly cancelled: number;
  readonly skipped: number;
  readonly cost_usd: string;
}

export interface ItemRow {
  readonly batch: string;
  readonly position: number;
  readonly item_id: string;
  /** Of its last run. */
  readonly message_id: string;
  readonly state: string;
  readonly error_code: string | null;
  readonly cost_usd: string | null;
}

/** A change of a batch's state, or of an item's, where there is a position. */
export interface BatchChange {
  readonly batch: string;
  readonly position: number | null;
  readonly from_state: string;
  readonly to_state: string;
}

/** A provider's batch, as the ledger has it. */
export interface ProviderBatchRow {
  readonly id: string;
  readonly account: string;
  readonly state: string;
  readonly provider_id: string | null;
  readonly requests: number;
}

/** A request in a provider's batch, and what became of it. */
export interface ProviderRequestRow {
  readonly batch_id: string;
  readonly place: number;
  /** The call that it is. */
  readonly request_id: string;
  readonly outcome: string | null;
}

/** All of it that the ledger has. */
export interface BatchStoreEvidence {
  readonly rows: readonly BatchRow[];
  readonly items: readonly ItemRow[];
  readonly changes: readonly BatchChange[];
  readonly providerBatches: readonly ProviderBatchRow[];
  readonly providerRequests: readonly ProviderRequestRow[];
  /** Calls that are put off still. */
  readonly putOff: number;
}

/** What an operator wanted of a batch, and whether it was in a state for it. */
export interface Steered {
  readonly batch: number;
  readonly what: Steering;
  readonly isDone: boolean;
}

/** What was said of a batch when everything was settled. */
export interface BatchReading {
  readonly batch: number;
  readonly account: BatchAccount;
  /** Its output, as often as it was read at the end; the first one right after that end where there was time for it. */
  readonly outputs: readonly string[];
}

/** A batch as the provider has it: of the simulator's own book. */
export interface SimulatedBatchRow {
  readonly id: string;
  readonly requests: number;
}

/** What an item's two questions are answered with, and what they cost, when somebody asks them by himself. */
export interface ExpectedItem {
  readonly sort: ExpectedAnswer;
  /** To each text that the first question may have been answered with, in order. */
  readonly replies: readonly ExpectedAnswer[];
}

export interface ExpectedAnswer {
  /** What a handler can have seen: what the provider says, or that with U+0000 in it. */
  readonly texts: readonly string[];
  /** At the full price. */
  readonly costUsd: string;
  readonly requestHash: string;
}

/** What is known of a run's batches beside the ledger. Absent: the run had none. */
export interface BatchRunEvidence {
  /** How many messages the run admitted: its batches follow from it. */
  readonly messages: number;
  readonly steered: readonly Steered[];
  readonly readings: readonly BatchReading[];
  readonly simulated: readonly SimulatedBatchRow[];
  /** By the item's id. */
  readonly expected: Readonly<Record<string, ExpectedItem>>;
}
