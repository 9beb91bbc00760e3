import type { Uuid } from '../../kernel/ids.ts';
import { invariant } from '../../kernel/invariant.ts';
import type { CallLedger, RecordedCall } from '../ledger/call-ledger.ts';
import type { CascadeVerdict } from '../ledger/settlement.ts';
import { Parked } from '../parked.ts';
import type { AnswerStore } from './answer-store.ts';
import { CallJournal, type EarlierRequests } from './call-journal.ts';
import type { CallMaker, OwningMessage } from './call-maker.ts';
import type { CallQuestion } from './call-opener.ts';
import type { CallSharing } from './call-sharing.ts';
import { labelsOf, type ModelMetrics } from './model-metrics.ts';
import type { StepDivergences } from './step-divergences.ts';

export interface RecordedAnswersServices {
  readonly ledger: Pick<CallLedger, 'callsOf'>;
  readonly answers: Pick<AnswerStore, 'fetch'>;
  /** Who knows of equal requests of other messages; may come later. */
  readonly sharing: () => CallSharing | undefined;
  readonly metrics: Pick<ModelMetrics, 'answerReused' | 'cascadeDecided'>;
  readonly divergences: StepDivergences;
}

/** The answer that was recorded for a question; that another message is about to have it; or which attempt at it a call would be. */
export type RecordedOrAttempt =
  | {
      readonly kind: 'recorded';
      readonly id: Uuid;
      readonly answer: string;
      /** Of an answer that another message's call brought: how this message rejects it. */
      readonly reject?: () => Promise<void>;
      /** What became of it in its cascade. */
      readonly verdict?: CascadeVerdict | undefined;
    }
  | { readonly kind: 'awaited'; readonly parked: Parked }
  | { readonly kind: 'call'; readonly attempt: number; readonly earlier: EarlierRequests };

/** The place of a request among those of its run. */
export interface RequestPlace {
  /** Which of its step it is, from 1. */
  readonly ordinal: number;
  /** Which of those with the same digest it is, from 1. */
  readonly occurrence: number;
}

/** What earlier runs of a message recorded, read when it is first needed; and what other messages recorded for the same request. */
export class RecordedAnswers {
  readonly #services: RecordedAnswersServices;
  readonly #owner: CallMaker['owner'];
  readonly #message: OwningMessage | undefined;
  readonly #journal = new CallJournal();
  #loading: Promise<void> | undefined;

  /** `known`: the calls that were made for the message before, where they were read already. */
  constructor(
    services: RecordedAnswersServices,
    owner: CallMaker['owner'],
    known: readonly RecordedCall[] | undefined,
  ) {
    const { message } = owner;
    this.#services = services;
    this.#owner = owner;
    this.#message = message;
    if (known !== undefined) this.#journal.load(known);
    if (known !== undefined || message === undefined || message.deliveries <= 1) {
      this.#loading = Promise.resolve();
    }
  }

  /** The place of a request in this run. Taken at once, in the order of the requests. */
  takePlace({ step, digest }: CallQuestion): RequestPlace {
    return {
      ordinal: this.#journal.takeOrdinal(step),
      occurrence: this.#journal.takeOccurrence(digest),
    };
  }

  /** Resolves when the record was read. A further try reads again. */
  async ready(): Promise<void> {
    this.#loading ??= this.#load();
    await this.#loading;
  }

  /** Looks for the answer to a question. Throws what fetching it throws; the next try finds it again. */
  async find(question: CallQuestion, place: RequestPlace): Promise<RecordedOrAttempt> {
    const { ordinal } = place;
    const entry = this.#journal.decide(question.step, ordinal, question.digest, question.reuse);
    if (entry.kind === 'call') {
      if (entry.hasDiverged) this.#services.divergences.note(question, ordinal, this.#message);
      const shared = entry.earlier.isAwaited ? undefined : await this.#findShared(question, place);
      return shared ?? { kind: 'call', attempt: entry.attempt, earlier: entry.earlier };
    }
    const { answers, metrics } = this.#services;
    try {
      const answer = await answers.fetch(entry.answer);
      metrics.answerReused(labelsOf(question.target, this.#message));
      return { kind: 'recorded', id: entry.call.id, answer, verdict: entry.call.verdict };
    } catch (error) {
      this.#journal.giveBack(entry.call);
      throw error;
    }
  }

  /** What another message's call for the same request brings; undefined where this message is to make it. */
  async #findShared(
    { target, step, digest, fingerprint }: CallQuestion,
    place: RequestPlace,
  ): Promise<RecordedOrAttempt | undefined> {
    const { sharing, answers, metrics } = this.#services;
    const { origin, message } = this.#owner;
    const source = sharing();
    if (source === undefined || message === undefined || fingerprint === undefined) return undefined;
    const course = await source.courseOf({
      origin,
      messageId: message.id,
      rootId: message.rootId,
      step,
      digest,
      fingerprint: fingerprint(),
      ...place,
    });
    if (course.kind === 'own') return undefined;
    if (course.kind === 'awaited') {
      const why = `The call of step "${step}" to ${target.provider}/${target.modelId} is made by another message; this one goes on when its answer is there.`;
      return { kind: 'awaited', parked: new Parked(why, course.wait) };
    }
    const answer = await answers.fetch(course.answer);
    metrics.answerReused(labelsOf(target, message));
    return { kind: 'recorded', id: course.callId, answer, reject: course.reject };
  }

  async #load(): Promise<void> {
    invariant(this.#message !== undefined, 'a record to be read is that of a message');
    try {
      this.#journal.load(await this.#services.ledger.callsOf(this.#message.id));
    } catch (error) {
      // The next request of this run looks again.
      this.#loading = undefined;
      throw error;
    }
  }
}
