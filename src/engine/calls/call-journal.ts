import type { Uuid } from '../../kernel/ids.ts';
import type { RecordedCall } from '../ledger/call-ledger.ts';

/*
 * Which request of which step this is, and whether its answer is known already. One journal for one run of a handler.
 *
 * A request is the n-th of its step in this run (its ordinal), whatever it asks; it is the same question as a recorded
 * one when step and digest are equal. A recorded answer is given once in a run, so that a handler that asks the same
 * question three times gets its three answers back in order. Only answers of earlier runs are given, and none that was
 * invalidated: its question is asked anew, as a further attempt.
 */

/** Which requests may be answered from the record: only equal questions, or whatever was answered at that place. */
export type ReuseRule = 'same_question' | 'always';

/** What the record says about a request. */
export type JournalEntry =
  | {
      readonly kind: 'reuse';
      readonly call: RecordedCall;
      readonly answer: NonNullable<RecordedCall['answer']>;
    }
  | {
      readonly kind: 'call';
      readonly attempt: number;
      readonly hasDiverged: boolean;
      readonly earlier: EarlierRequests;
    };

/** What is known of the same request in earlier runs. */
export interface EarlierRequests {
  /** One at its place was made at once. Those that were put off are no attempts that a provider has to bear. */
  readonly wasMade: boolean;
  /** One that was put off is still under way: its answer comes. */
  readonly isAwaited: boolean;
  /** How many that were put off have ended without an answer that counts, since an operator had the message run again. */
  readonly deferrals: number;
  /** How the last of these failed, if it asked the same. */
  readonly lastFailure: DeferredFailure | undefined;
  /** The same was answered in an earlier run, and the answer was of no use to the handler. */
  readonly wasRejected: boolean;
}

/** A request that was put off, and failed. */
export interface DeferredFailure {
  readonly callId: Uuid;
  readonly kind: string;
}

/** Those that were put off at a place and have ended. */
interface EndedRequests {
  readonly deferrals: number;
  readonly last: RecordedCall | undefined;
}

type Answered = RecordedCall & { readonly answer: NonNullable<RecordedCall['answer']> };

export class CallJournal {
  readonly #answered = new Map<string, Answered[]>();
  /** Those that were put off and have not ended, by step. */
  readonly #awaited = new Map<string, RecordedCall[]>();
  /** Those that were put off and have ended, by place. */
  readonly #deferred = new Map<string, EndedRequests>();
  /** Digests of questions whose answers were accepted in a cascade and rejected by the handler, by step. */
  readonly #rejected = new Map<string, string[]>();
  readonly #made = new Set<string>();
  readonly #attempts = new Map<string, number>();
  readonly #ordinals = new Map<string, number>();
  readonly #occurrences = new Map<string, number>();

  /** Takes in what earlier runs recorded. */
  load(calls: readonly RecordedCall[]): void {
    for (const call of calls) {
      const place = placeOf(call.step, call.ordinal);
      this.#attempts.set(place, Math.max(this.#attempts.get(place) ?? 0, call.attempt));
      if (call.requestKind === 'batch') this.#loadDeferred(call, place);
      else this.#made.add(place);
      if (isAnswered(call)) addTo(this.#answered, call.step, call);
      else if (isRejectedInCascade(call)) addTo(this.#rejected, call.step, call.requestDigest);
    }
  }

  /** The place of the next request of the step in this run, from 1. Taken at once, in the order of the requests. */
  takeOrdinal(step: string): number {
    const ordinal = (this.#ordinals.get(step) ?? 0) + 1;
    this.#ordinals.set(step, ordinal);
    return ordinal;
  }

  /** Which request with this digest it is in this run, from 1. Taken at once, as its ordinal is. */
  takeOccurrence(digest: string): number {
    const occurrence = (this.#occurrences.get(digest) ?? 0) + 1;
    this.#occurrences.set(digest, occurrence);
    return occurrence;
  }

  /** What to do with a request: give the recorded answer, which is used up then, or call, with this attempt. */
  decide(step: string, ordinal: number, digest: string, rule: ReuseRule): JournalEntry {
    const answered = this.#answered.get(step) ?? [];
    const sameQuestion = answered.findIndex((call) => call.requestDigest === digest);
    const samePlace = answered.findLastIndex((call) => call.ordinal === ordinal);
    const chosen = rule === 'always' && samePlace !== -1 ? samePlace : sameQuestion;
    const [call] = chosen === -1 ? [] : answered.splice(chosen, 1);
    if (call !== undefined) return { kind: 'reuse', call, answer: call.answer };
    const place = placeOf(step, ordinal);
    const attempt = (this.#attempts.get(place) ?? 0) + 1;
    this.#attempts.set(place, attempt);
    const { deferrals, last } = this.#deferredAt(place);
    const isAwaited = this.#takeAwaited(step, digest);
    const wasMade = this.#made.has(place);
    const wasRejected = this.#takeRejected(step, digest);
    const lastFailure = failureOf(last, digest);
    const earlier = { wasMade, isAwaited, deferrals, lastFailure, wasRejected };
    return { kind: 'call', attempt, hasDiverged: samePlace !== -1, earlier };
  }

  /** An answer that could not be fetched is there for the next try. */
  giveBack(call: RecordedCall): void {
    if (isAnswered(call)) this.#answered.get(call.step)?.unshift(call);
  }

  #loadDeferred(call: RecordedCall, place: string): void {
    if (call.state === 'reserved') {
      addTo(this.#awaited, call.step, call);
    } else if (!call.isOfEarlierLife) {
      this.#deferred.set(place, { deferrals: this.#deferredAt(place).deferrals + 1, last: call });
    }
  }

  /** One that is under way is awaited by one request of this run, like an answer. */
  #takeAwaited(step: string, digest: string): boolean {
    const awaited = this.#awaited.get(step) ?? [];
    const found = awaited.findIndex((call) => call.requestDigest === digest);
    if (found !== -1) awaited.splice(found, 1);
    return found !== -1;
  }

  /** A rejection sends one request of this run on to the next model. */
  #takeRejected(step: string, digest: string): boolean {
    const rejected = this.#rejected.get(step) ?? [];
    const found = rejected.indexOf(digest);
    if (found !== -1) rejected.splice(found, 1);
    return found !== -1;
  }

  #deferredAt(place: string): EndedRequests {
    return this.#deferred.get(place) ?? { deferrals: 0, last: undefined };
  }
}

/** Another question at the place may be answered. */
function failureOf(call: RecordedCall | undefined, digest: string): DeferredFailure | undefined {
  if (call?.errorType === undefined || call.requestDigest !== digest) return undefined;
  return { callId: call.id, kind: call.errorType };
}

function isAnswered(call: RecordedCall): call is Answered {
  return (
    call.state === 'settled' && call.outcome === 'ok' && !call.isInvalidated && call.answer !== undefined
  );
}

function isRejectedInCascade({ isInvalidated, outcome, verdict }: RecordedCall): boolean {
  return isInvalidated && outcome === 'ok' && verdict !== undefined;
}

function addTo<Item>(lists: Map<string, Item[]>, key: string, item: Item): void {
  const known = lists.get(key);
  if (known === undefined) lists.set(key, [item]);
  else known.push(item);
}

function placeOf(step: string, ordinal: number): string {
  return `${ordinal} ${step}`;
}
