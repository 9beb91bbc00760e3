import type { Clock } from '../../kernel/clock.ts';
import type { Pricer } from '../../pricing/price.ts';
import type { MessageTracer } from '../../telemetry/message-tracer.ts';
import type { AttributedCall } from '../ledger/attributed-call.ts';
import type { CallLedger } from '../ledger/call-ledger.ts';
import { estimateInputTokens } from '../providers/input-estimate.ts';
import type { RequestBounds } from '../providers/request-bounds.ts';
import { askedCall, draftCall } from './call-draft.ts';
import { type CallGate, type GatePass, passGates } from './call-gate.ts';
import type { CallInFlight } from './call-in-flight.ts';
import type { CallQuestion, FallbackModel } from './call-opener.ts';
import type { CallMaker } from './call-maker.ts';
import { startCallSpan } from './call-span.ts';
import { fallbackFor, soonestRefusal } from './fallback.ts';
import { labelsOf, type ModelMetrics } from './model-metrics.ts';
import { notReserved } from './not-reserved.ts';
import type { QuotaSource } from './quota-source.ts';
import type { RequestShare } from './shared-request.ts';

/** The place of a request in its run. */
export interface CallPlace {
  /** Which of its step it is, from 1. */
  readonly ordinal: number;
  /** From 1; above it when an earlier attempt at the same request failed. */
  readonly attempt: number;
  /** The place in a request that it shares with others; undefined for a request of its own. */
  readonly share?: RequestShare | undefined;
  /** It follows on a shared request that was refused, or on requests that were put off: as far as gates go, nothing of its own has failed. */
  readonly isFirstTry?: boolean;
}

/** A request that may be sent. */
export interface OpenedRequest {
  readonly call: CallInFlight;
  /** What is asked of whom: of the fallback, if it is another question than was given. */
  readonly asked: CallQuestion;
  /** The model that is asked instead of the one that was meant, "provider/model"; undefined: that one. */
  readonly askedInstead: string | undefined;
  /** The seed that was derived for it. */
  readonly seed: number | undefined;
}

/** How often a question may go to yet another model. */
const maxSwitches = 3;

export interface CallOpeningOptions {
  /** What a request passes before it is reserved, in order. */
  readonly gates: readonly CallGate[];
  /** What calls have to fit. */
  readonly quotas: QuotaSource;
  readonly ledger: CallLedger;
  readonly pricer: Pricer;
  readonly clock: Clock;
  readonly metrics: ModelMetrics;
  readonly tracer: MessageTracer | undefined;
}

/** The way of a request from the question to its reservation: through the gates and into the ledger. */
export class CallOpening {
  readonly #options: CallOpeningOptions;

  constructor(options: CallOpeningOptions) {
    this.#options = options;
  }

  /**
   * A model whose circuit refuses is stood in for by its fallback, if it has one. The question stays the same: its
   * digest is that of the model that was meant, so that the answer is found again whoever gave it.
   */
  async open(question: CallQuestion, place: CallPlace, maker: CallMaker): Promise<OpenedRequest> {
    return await this.#openOn(question, place, maker, []);
  }

  /** `instead`: the models that the question went to in place of the one before, the last of them the one to ask now. */
  async #openOn(
    question: CallQuestion,
    place: CallPlace,
    maker: CallMaker,
    instead: readonly FallbackModel[],
  ): Promise<OpenedRequest> {
    const model = instead.at(-1);
    try {
      const opened = await this.#admit(question, place, maker, model?.insteadOf);
      if (model === undefined) return opened;
      const { provider, modelId } = question.target;
      this.#options.metrics.fellBack(model.insteadOf, `${provider}/${modelId}`);
      return { ...opened, askedInstead: model.reference };
    } catch (error) {
      const next = instead.length < maxSwitches ? fallbackFor(question, error) : undefined;
      if (next === undefined) throw error;
      try {
        return await this.#openOn(next.asked, place, maker, [...instead, next.model]);
      } catch (other) {
        throw soonestRefusal(error, other);
      }
    }
  }

  /** Through the gates and into the ledger. Gates that were passed learn that nothing was sent when it is not reserved. */
  async #admit(
    question: CallQuestion,
    place: CallPlace,
    maker: CallMaker,
    fallbackFrom?: string,
  ): Promise<OpenedRequest> {
    const bounds = question.bounds();
    const pass = await this.#pass(question, place, bounds, maker);
    try {
      return await this.#reserve(question, { place, maker, bounds, pass, fallbackFrom });
    } catch (error) {
      pass?.end({ kind: 'not_sent' });
      throw error;
    }
  }

  async #pass(
    question: CallQuestion,
    { attempt, share, isFirstTry = false }: CallPlace,
    bounds: RequestBounds,
    { owner: { origin, message }, signal }: CallMaker,
  ): Promise<GatePass | undefined> {
    const { gates } = this.#options;
    if (gates.length === 0) return undefined;
    const { target, userSignal, inputText } = question;
    const asked = { ...askedCall(question, isFirstTry ? 1 : attempt), stage: message?.stage ?? '', origin };
    if (share !== undefined) return await share.pass((whole) => passGates(gates, { ...asked, ...whole }));
    return await passGates(gates, {
      ...asked,
      ...bounds,
      estimateTokens: () => estimateInputTokens(target.modelId, inputText()),
      signal: userSignal === undefined ? signal : AbortSignal.any([signal, userSignal]),
    });
  }

  async #reserve(
    question: CallQuestion,
    { place, maker, bounds, pass, fallbackFrom }: AdmittedRequest,
  ): Promise<OpenedRequest> {
    const { quotas: source, ledger, metrics, tracer } = this.#options;
    const { target, step } = question;
    const { origin, message } = maker.owner;
    const { draft, reservation, limited, seed } = draftCall(this.#options, {
      question,
      maker,
      bounds,
      ordinal: place.ordinal,
      attempt: place.attempt,
      requestKind: 'single',
      fallbackFrom,
      sharedRequest: place.share?.sharedRequest,
    });
    const outcome = await ledger.reserve(reservation);
    if (outcome.kind === 'over_quota') throw source.refusal(limited, outcome);
    if (outcome.kind !== 'reserved') throw notReserved(outcome, step);
    const facts: AttributedCall = { ...draft, origin, message, reservedAt: outcome.at };
    const labels = labelsOf(target, message);
    if (place.share === undefined) metrics.requestBegan(labels);
    const span = tracer === undefined ? undefined : startCallSpan(tracer, facts, question.maxOutputTokens);
    const hasQuotas = (reservation.quotas ?? []).length > 0;
    return {
      call: { facts, target, labels, bounds, hasQuotas, pass, span },
      asked: question,
      askedInstead: undefined,
      seed,
    };
  }
}

/** A request that has passed the gates. */
interface AdmittedRequest {
  readonly place: CallPlace;
  readonly maker: CallMaker;
  readonly bounds: RequestBounds;
  readonly pass: GatePass | undefined;
  readonly fallbackFrom: string | undefined;
}
