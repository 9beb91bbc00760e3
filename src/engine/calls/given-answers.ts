import { AppError } from '../../kernel/app-error.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Uuid } from '../../kernel/ids.ts';
import type { Pricer } from '../../pricing/price.ts';
import type { CallAttribution } from '../ledger/attributed-call.ts';
import type { CascadeVerdict } from '../ledger/settlement.ts';
import type { CallLedger } from '../ledger/call-ledger.ts';
import { renderUsageLine } from '../export/usage-record.ts';
import { type CascadeEnd, lastModelUsd } from './cascade-rule.ts';
import { labelsOf, type ModelMetrics } from './model-metrics.ts';
import { recordOfVerdict, recordsOfInvalidation } from './usage-record-of-call.ts';

/** How many of a run's latest answers can still be rejected. */
const maxRemembered = 256;

/** How often a call is read anew that an operator corrects at the same moment. */
const maxAttempts = 5;

/** An answer that a handler was given in this run, new or recorded. */
export interface GivenAnswer {
  readonly callId: Uuid;
  readonly step: string;
  /** As the handler sees it. */
  readonly text: () => string;
  /** How it is rejected where another message's call brought it: that call stays as it is. */
  readonly reject?: (() => Promise<void>) | undefined;
}

/** What is known about the answer that is of no use. */
export interface Complaint {
  readonly step?: string | undefined;
  /** What the complaint quotes of it. */
  readonly text?: string | undefined;
}

export interface InvalidationServices {
  readonly ledger: Pick<CallLedger, 'invalidOutputs' | 'cascades'>;
  readonly pricer: Pick<Pricer, 'price'>;
  readonly metrics: Pick<ModelMetrics, 'cascadeDecided'>;
  readonly clock: Clock;
}

/** The answers that a handler was given in this run, so that the one that is of no use can be found and rejected. */
export class GivenAnswers {
  readonly #services: InvalidationServices;
  readonly #owner: CallAttribution;
  readonly #answers: GivenAnswer[] = [];

  constructor(services: InvalidationServices, owner: CallAttribution) {
    this.#services = services;
    this.#owner = owner;
  }

  /** Remembers what the handler is about to be given. */
  add(answer: GivenAnswer): void {
    this.#answers.push(answer);
    if (this.#answers.length > maxRemembered) this.#answers.shift();
  }

  /** Whether there is no answer that could be to blame for what the handler did next. */
  get isEmpty(): boolean {
    return this.#answers.length === 0;
  }

  /** Rejects the answer that a complaint is about. */
  async reject(complaint: Complaint): Promise<void> {
    const answer = this.#take(complaint);
    if (answer !== undefined) await this.rejectAnswer(answer.callId, answer.reject);
  }

  /** Rejects an answer: of this message's own call, or one that another message's call brought. */
  async rejectAnswer(id: Uuid, reject: GivenAnswer['reject']): Promise<void> {
    await (reject === undefined ? this.invalidateAnswer(id) : reject());
  }

  /** Marks the answer of a call as of no use: it is never given again, and is waste. */
  async invalidateAnswer(id: Uuid): Promise<void> {
    const { ledger, clock } = this.#services;
    for (let attempt = 1; attempt <= maxAttempts; attempt += 1) {
      const call = await ledger.invalidOutputs.findAnswered(id);
      if (call === undefined) return;
      const lines = recordsOfInvalidation(this.#owner, call, clock.now()).map(renderUsageLine);
      if (await ledger.invalidOutputs.reject(call, lines)) return;
    }
    throw new AppError('MILLRACE_DATABASE_CONFLICT', `The call ${id} changed each time that it was read.`);
  }

  /**
   * Makes durable what becomes of the answer to a request that was put off, in its cascade. Answers the decision that stands: the first
   * one, also where another run made it.
   */
  async decide(
    id: Uuid,
    { verdict, last, priceProvider }: CascadeEnd & { readonly priceProvider: string },
  ): Promise<CascadeVerdict> {
    const { ledger, clock, pricer, metrics } = this.#services;
    const call = await ledger.invalidOutputs.findAnswered(id);
    if (call === undefined) return verdict;
    const hasUses = call.costParts !== undefined && !call.costParts.units.isZero();
    // The row has no counts of tools' uses: what they would have cost elsewhere is not known.
    const cascadeUsd =
      verdict === 'accepted' && !hasUses ? lastModelUsd(pricer, { ...call, priceProvider }, last) : undefined;
    const line = renderUsageLine(recordOfVerdict(this.#owner, call, { verdict, cascadeUsd }, clock.now()));
    const stands = await ledger.cascades.decide({ id, verdict, cascadeUsd, line });
    metrics.cascadeDecided(labelsOf({ ...call, modelId: call.model }, this.#owner.message), stands);
    return stands;
  }

  /**
   * Takes out the answer that a complaint is about: the latest of the step that it names; else the latest with the
   * text that it quotes; else the latest of all.
   */
  #take({ step, text }: Complaint): GivenAnswer | undefined {
    const find = (isMeant: (answer: GivenAnswer) => boolean): number => this.#answers.findLastIndex(isMeant);
    let index = -1;
    if (step !== undefined) index = find((answer) => answer.step === step);
    else if (text !== undefined) index = find((answer) => answer.text() === text);
    if (index === -1 && step === undefined) index = this.#answers.length - 1;
    return index === -1 ? undefined : this.#answers.splice(index, 1)[0];
  }
}
