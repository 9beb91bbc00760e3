import type { SqlExecutor } from '../../drivers/sql-database/sql-database.ts';
import type { AppError } from '../../kernel/app-error.ts';
import type { Uuid } from '../../kernel/ids.ts';
import type { CallLedger } from '../ledger/call-ledger.ts';
import { Parked } from '../parked.ts';
import { modelError } from '../providers/classify-model-error.ts';
import { estimateInputTokens } from '../providers/input-estimate.ts';
import type { CallDeferral, DeferrableRequest, DeferredWait, RequestCourse } from './call-deferral.ts';
import { draftCall, type DraftSources } from './call-draft.ts';
import type { EarlierRequests } from './call-journal.ts';
import type { CallMaker } from './call-maker.ts';
import type { CallQuestion } from './call-opener.ts';
import type { CallOpening, CallPlace, OpenedRequest } from './call-opening.ts';
import type { DeferredOutcome, DeferredSettler } from './deferred-settler.ts';
import { notReserved } from './not-reserved.ts';

export interface CallDeferringOptions extends DraftSources {
  /** Who puts requests off; may come later. */
  readonly deferral: () => CallDeferral | undefined;
  readonly ledger: Pick<CallLedger, 'reserve'>;
  /** Settles what was put off. */
  readonly settler: DeferredSettler;
  /** Opens what is not put off. */
  readonly opening: CallOpening;
}

/** A request that has no recorded answer. */
export interface UnansweredRequest {
  readonly ordinal: number;
  readonly attempt: number;
  readonly earlier: EarlierRequests;
}

/** The way of a request that has no recorded answer: put off, where somebody wants that (see CallDeferral), or opened at once. */
export class CallDeferring {
  readonly #options: CallDeferringOptions;

  constructor(options: CallDeferringOptions) {
    this.#options = options;
  }

  /**
   * Answers the service tier that the request is to be made in at once; undefined for the one that it asks for. Throws `Parked` when it
   * was put off, now or in an earlier run; and what reserving it throws.
   */
  async pass(
    question: CallQuestion,
    unanswered: UnansweredRequest,
    maker: CallMaker,
  ): Promise<string | undefined> {
    const deferral = this.#options.deferral();
    const { origin, message } = maker.owner;
    if (deferral === undefined || message === undefined) return undefined;
    const { earlier } = unanswered;
    if (earlier.isAwaited) throw parked(question, await deferral.waitOf(message.id));
    const { target, tier } = question;
    const request: DeferrableRequest = {
      origin,
      messageId: message.id,
      rootId: message.rootId,
      stage: message.stage,
      provider: target.provider,
      kind: target.kind,
      model: target.modelId,
      tier,
      deferrals: earlier.deferrals,
      lastFailure: earlier.lastFailure,
    };
    const course = await deferral.courseOf(request);
    switch (course.kind) {
      case 'now':
        return undefined;
      case 'tier':
        return course.tier;
      case 'parked':
        throw new Parked(course.message, course.wait);
      case 'refused':
        throw refusedBefore(question, course);
      case 'deferred':
        if (await this.#defer(question, unanswered, { maker, messageId: message.id, course })) {
          throw parked(question, course.wait);
        }
        return undefined;
    }
  }

  /** Opens a request that is made at once. */
  async open(question: CallQuestion, place: CallPlace, maker: CallMaker): Promise<OpenedRequest> {
    return await this.#options.opening.open(question, place, maker);
  }

  /** See `DeferredSettler.settle`. */
  async settle(transaction: SqlExecutor, outcomes: readonly DeferredOutcome[]): Promise<() => void> {
    return await this.#options.settler.settle(transaction, outcomes);
  }

  /** False: it cannot be put off, and is to be made at once. */
  async #defer(
    question: CallQuestion,
    { ordinal, attempt }: UnansweredRequest,
    { maker, messageId, course }: Deferring,
  ): Promise<boolean> {
    const { ledger, quotas } = this.#options;
    const { target, inputText } = question;
    const bounds = question.bounds();
    const { draft, reservation, limited, seed } = draftCall(this.#options, {
      question,
      maker,
      bounds,
      ordinal,
      attempt,
      requestKind: 'batch',
    });
    const request = await question.render?.(seed);
    if (request === undefined) return false;
    const isKept = await course.keep({
      callId: draft.id,
      messageId,
      provider: draft.provider,
      model: draft.model,
      request,
      bounds,
      inputTokens: await estimateInputTokens(target.modelId, inputText()),
    });
    if (!isKept) return false;
    const outcome = await ledger.reserve(reservation);
    if (outcome.kind === 'reserved') return true;
    if (outcome.kind !== 'over_quota') throw notReserved(outcome, question.step);
    const refusal = quotas.refusal(limited, outcome);
    // Where the quota names another model, the way of a request that is made at once finds it.
    if (refusal instanceof Parked && refusal.switchTo !== undefined) return false;
    throw refusal;
  }
}

type Refused = RequestCourse & { readonly kind: 'refused' };

interface Deferring {
  readonly maker: CallMaker;
  readonly messageId: Uuid;
  readonly course: RequestCourse & { readonly kind: 'deferred' };
}

/** What the same request would meet that is made at once; it was paid for neither time. */
function refusedBefore({ target }: CallQuestion, { failure: kind, message }: Refused): AppError {
  const failed = {
    kind,
    billing: 'free',
    message,
    retryAfterMs: undefined,
    headers: undefined,
    usage: undefined,
  } as const;
  return modelError(failed, { model: `${target.provider}/${target.modelId}`, cause: undefined });
}

function parked({ target, step }: CallQuestion, wait: DeferredWait): AppError {
  return new Parked(
    `The call of step "${step}" to ${target.provider}/${target.modelId} is put off; the message goes on when its answer is there.`,
    wait,
  );
}
