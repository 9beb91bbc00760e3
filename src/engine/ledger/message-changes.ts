import type { Uuid } from '../../kernel/ids.ts';
import type { MessageEnvelope } from '../../messages/message.ts';
import type { Start } from '../../messages/start-time.ts';
import type { StoredBody } from './stored-message.ts';

/* What is asked of the ledger about messages. */

/** A message to be admitted: the envelope without the times, which are the database's. */
export interface Admission {
  readonly envelope: Omit<MessageEnvelope, 'createdAt' | 'admittedAt' | 'rootId' | 'parentId'>;
  /** Messages of the stage with the same key go one after another. */
  readonly orderKey?: string | undefined;
  readonly body: StoredBody;
  readonly bodyBytes: number;
  /** When it starts, when that is not at once. */
  readonly start?: Start | undefined;
  /** The process that admits it would begin it at once, under a lease of this length. */
  readonly leaseMs?: number | undefined;
}

export type AdmissionOutcome = 'admitted' | 'duplicate';

/** The times that the database gave a message which it leased as it wrote it. */
export interface WrittenTimes {
  readonly createdAt: Date;
  readonly availableAt: Date;
}

/** Messages that are leased already to the process that wrote them. */
export type LeasedAsWritten = ReadonlyMap<Uuid, WrittenTimes>;

/** What an admission of messages that belong together did. */
export interface Admitted {
  /** Of each, in their order. */
  readonly outcomes: readonly AdmissionOutcome[];
  readonly leased: LeasedAsWritten;
}

/** A message emitted by another; origin, item and root are inherited in the database. */
export interface Emission {
  readonly id: Uuid;
  readonly source: string;
  readonly type: string;
  readonly version: number;
  readonly pipeline: string;
  /** The consuming stage; empty for an output, which is complete at once. */
  readonly stage: string;
  readonly owner: string;
  readonly lane: string;
  /** Messages of the stage with the same key go one after another. */
  readonly orderKey?: string | undefined;
  readonly traceParent: string;
  readonly body: StoredBody;
  readonly bodyBytes: number;
  /** When it starts, when that is not at once. An output starts nowhere. */
  readonly start?: Start | undefined;
  /** The process that emits it would begin it at once, under a lease of this length. */
  readonly leaseMs?: number | undefined;
  /** The branch of a join that it begins, or is a part of from the beginning; without one it belongs to its parent's. */
  readonly branch?: EmittedBranch | undefined;
  /** The join that it comes after. */
  readonly joinId?: Uuid | undefined;
  /** It may not be taken before that is over. */
  readonly waits?: EmittedWait | undefined;
}

/** The branch of a join that an emission begins. */
export interface EmittedBranch {
  readonly id: Uuid;
  /** What follows from the emission is outside of it. */
  readonly isMessageOnly: boolean;
}

/** What an emission waits for. */
export interface EmittedWait {
  /** Its name in `parked_for`. */
  readonly parkedFor: string;
  /** It goes on after that time, whatever has happened; undefined: never by itself. */
  readonly timeoutMs: number | undefined;
  /** What is waited for, in words, where that is an outside event. */
  readonly note?: string | undefined;
  /** The data that it goes on with when nobody gave it any in time. */
  readonly otherwise?: { readonly body: StoredBody; readonly bodyBytes: number } | undefined;
}

/** Emissions of one message that others come after. */
export interface Join {
  readonly id: Uuid;
  /** How many branches have to succeed; undefined: all have to end. */
  readonly quorum: number | undefined;
  /** In their order. */
  readonly branches: readonly JoinBranch[];
}

export interface JoinBranch {
  readonly id: Uuid;
  readonly type: string;
  /** An output of the pipeline, which is complete as it is written. */
  readonly isOutput: boolean;
}

/** What a finish did. */
export interface FinishOutcome {
  /** False: the fencing token had passed on, and nothing was changed. */
  readonly isOurs: boolean;
  /** Of its emissions. */
  readonly leased: LeasedAsWritten;
}

/** A run of a message, as the ledger knows it: under one lease. */
export interface RunRef {
  readonly id: Uuid;
  readonly fencingToken: number;
}

/** The end of a message that succeeded. Its outcome record is rendered from its row when it is exported. */
export interface Finish extends RunRef {
  /** JSON of what the handler returned. */
  readonly result: string | undefined;
  readonly emissions: readonly Emission[];
  /** Which of them wait for which. */
  readonly joins?: readonly Join[];
  /** Of the handler's run. */
  readonly durationMs: number;
}

/** Why an attempt failed: a code, and JSON for the reader of a dead letter. */
export interface FailureNote {
  readonly code: string;
  readonly detail: string;
  /** The answer was of no use: it counts among the invalid-output attempts, not among the others. */
  readonly isInvalidOutput?: boolean;
}

export interface Retry extends RunRef, FailureNote {
  readonly delayMs: number;
  /** Why it is put off, for people (see waitName). */
  readonly waitsFor?: string;
}

/** A message that may not go on now. */
export interface Park extends RunRef {
  /** When it is due again; undefined with `parkedFor`: when that is lifted. */
  readonly delayMs: number | undefined;
  /** What must be lifted first ("pause:…"). */
  readonly parkedFor: string | undefined;
  /** Why, for people (see waitName). */
  readonly waitsFor?: string;
}

export interface End extends RunRef, FailureNote {
  readonly state: 'dead_lettered' | 'cancelled';
  /** The rendered record for the column store: a dead letter can live again, and then has another end. */
  readonly outcomeLine: string;
}
