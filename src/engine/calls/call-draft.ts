import type { Clock } from '../../kernel/clock.ts';
import type { Uuid } from '../../kernel/ids.ts';
import type { Pricer } from '../../pricing/price.ts';
import { callId } from '../ledger/call-ledger.ts';
import type { Reservation } from '../ledger/reservation.ts';
import type { CallDraft } from '../ledger/stored-call.ts';
import type { RequestBounds } from '../providers/request-bounds.ts';
import type { CallMaker } from './call-maker.ts';
import type { CallQuestion } from './call-opener.ts';
import type { QuotaQuestion, QuotaSource } from './quota-source.ts';
import { derivedSeed } from './request-parameters.ts';

/** What a call is drafted by. */
export interface DraftSources {
  readonly quotas: QuotaSource;
  readonly pricer: Pricer;
  readonly clock: Clock;
}

/** A request and its place, as far as its reservation goes. */
export interface DraftedRequest {
  readonly question: CallQuestion;
  readonly maker: CallMaker;
  readonly bounds: RequestBounds;
  readonly ordinal: number;
  readonly attempt: number;
  readonly requestKind: CallDraft['requestKind'];
  readonly fallbackFrom?: string | undefined;
  readonly sharedRequest?: Uuid | undefined;
}

/** A call that is about to be reserved. */
export interface DraftedCall {
  readonly draft: CallDraft;
  readonly reservation: Reservation;
  /** As far as quotas concern it. */
  readonly limited: QuotaQuestion;
  /** The seed that was derived for it. */
  readonly seed: number | undefined;
}

/** Drafts the call of a request. Throws what the quotas throw of a call that is refused before it is reserved. */
export function draftCall({ quotas, pricer, clock }: DraftSources, request: DraftedRequest): DraftedCall {
  const { question, maker, bounds, ordinal, attempt, requestKind, fallbackFrom, sharedRequest } = request;
  const { target, step, tier } = question;
  const { origin, message } = maker.owner;
  const askedAt = clock.now();
  const priced = {
    provider: target.priceProvider,
    model: target.modelId,
    at: askedAt,
    tier,
    batch: requestKind === 'batch',
  };
  const draft: CallDraft = {
    ...askedCall(question, attempt),
    id: callId(askedAt, maker.idRoot, step, ordinal, attempt),
    tier,
    requestKind,
    fallbackFrom,
    sharedRequest,
    cascade: question.cascade?.place,
    upperBoundUsd: pricer.upperBound(priced, bounds.maxInputTokens, bounds.maxOutputTokens, bounds.maxUnits),
  };
  const { upperBoundUsd } = draft;
  const upperBoundTokens = bounds.maxInputTokens + bounds.maxOutputTokens;
  const limited = {
    origin,
    pipeline: message?.pipeline,
    model: `${draft.provider}/${draft.model}`,
    upperBoundUsd,
    upperBoundTokens,
  };
  const seed = question.derivesSeed
    ? derivedSeed(message?.id ?? maker.idRoot, step, ordinal, attempt)
    : undefined;
  const reservation: Reservation = {
    ...draft,
    message: message === undefined ? undefined : { id: message.id, fencingToken: message.fencingToken },
    origin: message === undefined ? origin : undefined,
    ordinal,
    requestDigest: question.digest,
    upperBoundTokens,
    parameters: question.parameters(seed),
    quotas: quotas.concerning(limited),
  };
  return { draft, reservation, limited, seed };
}

/** What a request is, before it has an id and a bound. */
export function askedCall(
  { target, operation, step }: CallQuestion,
  attempt: number,
): Pick<CallDraft, 'provider' | 'model' | 'operation' | 'step' | 'attempt'> {
  return { provider: target.provider, model: target.modelId, operation, step, attempt };
}
