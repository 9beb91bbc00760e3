import { invariant } from '../../kernel/invariant.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { LogOnce } from '../../telemetry/log-once.ts';
import type { CallLedger, RecordedCall } from '../ledger/call-ledger.ts';
import type { AnswerStore } from './answer-store.ts';
import { CallJournal, type EarlierRequests } from './call-journal.ts';
import type { CallQuestion } from './call-opener.ts';
import type { OwningMessage } from './call-maker.ts';
import { labelsOf, type ModelMetrics } from './model-metrics.ts';
import type { Uuid } from '../../kernel/ids.ts';

export interface RecordedAnswersServices {
  readonly ledger: Pick<CallLedger, 'callsOf'>;
  readonly answers: Pick<AnswerStore, 'fetch'>;
  readonly metrics: ModelMetrics;
  readonly logger: Logger;
  readonly logOnce: LogOnce;
}

/** The answer that was recorded for a question; or which attempt at it a call would be. */
export type RecordedOrAttempt =
  | { readonly kind: 'recorded'; readonly id: Uuid; readonly answer: string }
  | { readonly kind: 'call'; readonly attempt: number; readonly earlier: EarlierRequests };

/** What earlier runs of a message recorded, read when it is first needed. */
export class RecordedAnswers {
  readonly #services: RecordedAnswersServices;
  readonly #message: OwningMessage | undefined;
  readonly #journal = new CallJournal();
  #loading: Promise<void> | undefined;

  /** `known`: the calls that were made for the message before, where they were read already. */
  constructor(
    services: RecordedAnswersServices,
    message: OwningMessage | undefined,
    known: readonly RecordedCall[] | undefined,
  ) {
    this.#services = services;
    this.#message = message;
    if (known !== undefined) this.#journal.load(known);
    if (known !== undefined || message === undefined || message.deliveries <= 1) {
      this.#loading = Promise.resolve();
    }
  }

  /** The place of the next request of the step in this run, from 1. Taken at once, in the order of the requests. */
  takeOrdinal(step: string): number {
    return this.#journal.takeOrdinal(step);
  }

  /** Resolves when the record was read. A further try reads again. */
  async ready(): Promise<void> {
    this.#loading ??= this.#load();
    await this.#loading;
  }

  /** Looks for the answer to a question. Throws what fetching it throws; the next try finds it again. */
  async find(question: CallQuestion, ordinal: number): Promise<RecordedOrAttempt> {
    const entry = this.#journal.decide(question.step, ordinal, question.digest, question.reuse);
    if (entry.kind === 'call') {
      if (entry.hasDiverged) this.#noteDivergence(question, ordinal);
      return { kind: 'call', attempt: entry.attempt, earlier: entry.earlier };
    }
    const { answers, metrics } = this.#services;
    try {
      const answer = await answers.fetch(entry.answer);
      metrics.answerReused(labelsOf(question.target, this.#message));
      return { kind: 'recorded', id: entry.call.id, answer };
    } catch (error) {
      this.#journal.giveBack(entry.call);
      throw error;
    }
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

  #noteDivergence({ target, step }: CallQuestion, ordinal: number): void {
    const { metrics, logOnce, logger } = this.#services;
    const labels = labelsOf(target, this.#message);
    metrics.stepDiverged(labels);
    if (!logOnce.isNew(`diverged ${labels.stage} ${step}`)) return;
    logger.warn(
      { messageId: this.#message?.id, stage: labels.stage, step, ordinal },
      'a step asks something else than when its answer was recorded: it is called anew',
    );
  }
}
