import type { Uuid } from '../../kernel/ids.ts';
import type { Usd } from '../../kernel/money.ts';
import type { MessageEnvelope } from '../../messages/message.ts';
import type { Origin } from '../../messages/origin.ts';
import type { MessageState } from '../../engine/ledger/message-state.ts';
import type { StoredBody } from '../../engine/ledger/stored-message.ts';

/** Which dead letters. A part that is absent selects everything. */
export interface DeadLetterFilter {
  readonly ids?: readonly Uuid[];
  readonly stage?: readonly string[];
  readonly pipeline?: readonly string[];
  /** Teams that own stages. */
  readonly owner?: readonly string[];
  /** Teams of the origin. */
  readonly team?: readonly string[];
  readonly customer?: readonly string[];
  readonly feature?: readonly string[];
  readonly batch?: readonly string[];
  readonly errorCode?: readonly string[];
  /** When it died: from this moment on … */
  readonly from?: Date;
  /** … and before this one. */
  readonly to?: Date;
  /** Discarded ones: left out (default), nothing but them, or both. */
  readonly discarded?: 'no' | 'only' | 'any';
}

/** A dead letter as it is listed. */
export interface DeadLetter {
  readonly envelope: MessageEnvelope;
  readonly body: StoredBody;
  readonly bodyBytes: number;
  /** Dead, unless it was replayed. */
  readonly state: MessageState;
  readonly errorCode: string | undefined;
  readonly diedAt: Date | undefined;
  readonly deliveries: number;
  /** Failed attempts since it was admitted or last replayed. */
  readonly attempts: number;
  /** Failed attempts in all. */
  readonly totalAttempts: number;
  readonly replays: number;
  /** What its calls cost so far, as far as it is settled. */
  readonly paidUsd: Usd;
  readonly discarded: { readonly at: Date; readonly by: string } | undefined;
}

/** A page of the list, newest death first. */
export interface DeadLetterPage {
  readonly letters: readonly DeadLetter[];
  /** Where the next page begins; absent on the last. */
  readonly next: DeadLetterPlace | undefined;
}

/** A place in the list: the last one seen. The time is in microseconds, as exact as the ledger's. */
export interface DeadLetterPlace {
  readonly diedUs: string;
  readonly id: Uuid;
}

/** One attempt that failed. */
export interface DeadLetterFailure {
  readonly fencing_token: number;
  readonly at: Date;
  readonly code: string;
  readonly retryable: boolean;
  /** JSON: the chain of causes. */
  readonly detail: string;
}

/** One call that was made for the message; amounts as the ledger has them. */
export interface DeadLetterCall {
  readonly id: Uuid;
  readonly fencing_token: number;
  readonly step: string;
  readonly ordinal: number;
  readonly attempt: number;
  readonly provider: string;
  readonly model: string;
  readonly answered_model: string | null;
  /** The model ("provider/model") that this one stood in for. */
  readonly fallback_from: string | null;
  /** What became of its answer in a cascade. */
  readonly cascade_verdict: 'accepted' | 'escalated' | null;
  readonly tier: string;
  readonly state: 'reserved' | 'settled' | 'unsettled';
  readonly outcome: string | null;
  readonly settlement: string | null;
  readonly error_type: string | null;
  readonly reserved_at: Date;
  readonly duration_ms: number | null;
  readonly cost_usd: string | null;
  readonly upper_bound_usd: string | null;
  readonly price_reference: string | null;
  readonly price_catalogue: string | null;
  readonly waste_reason: string | null;
  /** JSON: seed, temperature and so on. */
  readonly parameters: string | null;
  /** Whether a replay gives its recorded answer again instead of asking. */
  readonly is_reusable: boolean;
}

/** What an operator did to it, and the death that was found then. */
export interface DeadLetterAction {
  readonly id: Uuid;
  readonly at: Date;
  readonly actor: string;
  readonly action: string;
  readonly reason: string;
  readonly died_at: Date;
  readonly fencing_token: number;
  readonly error_code: string;
  readonly attempts: number;
}

export interface DeadLetterHistory {
  readonly letter: DeadLetter;
  readonly failures: readonly DeadLetterFailure[];
  readonly calls: readonly DeadLetterCall[];
  readonly actions: readonly DeadLetterAction[];
}

/** What a replay would meet in one stage. */
export interface StageReplayPlan {
  readonly stage: string;
  readonly owner: string;
  readonly count: number;
  /** Recorded answers that are given again, and what they had cost. */
  readonly reusableSteps: number;
  readonly reusableUsd: Usd;
  /** What was paid in all so far. */
  readonly paidUsd: Usd;
  /** Successful messages of the stage that the estimate rests on. */
  readonly sampleSize: number;
  /** What it costs beside that if the messages cost what successful ones do on average; undefined without a sample. */
  readonly estimatedUsd: Usd | undefined;
  /** The same if each were as expensive as the most expensive of the sample. */
  readonly mostExpensiveUsd: Usd | undefined;
}

/** A message that lives again and waits for its stage. */
export interface ReplayedMessage {
  readonly id: Uuid;
  readonly stage: string;
  readonly owner: string;
  readonly lane: string;
  readonly origin: Origin;
  readonly traceParent: string;
  readonly fencingToken: number;
  readonly delayMs: number;
}
