import { bytesOfBody, type MessageBodies } from '../../engine/pipeline/message-bodies.ts';
import { AppError } from '../../kernel/app-error.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { zeroUsd } from '../../kernel/money.ts';
import type { RequestCanceller } from './ends/request-canceller.ts';
import type { AskedRequest, RequestIntake } from './intake/request-intake.ts';
import type { RequestEstimates } from './intake/request-estimates.ts';
import type { StageQueues } from './intake/stage-queues.ts';
import type { AcceptedRequest, RequestOperator, RequestViewer } from './request.ts';
import { requestErrors } from './request-errors.ts';
import type { TakeRoom } from './take-room.ts';
import {
  requestDocument,
  type RequestDocument,
  type RequestList,
  type ResultPart,
  summaryDocument,
} from './state/request-document.ts';
import type { FoundRequest, RequestFilter, RequestStore } from './state/request-store.ts';
import type { RequestWaiter } from './state/request-waiter.ts';

/** How an answer comes about. */
export interface Answering {
  /** How long the client would wait for the end. */
  readonly waitMs: number;
  /** Aborts when the client has left; the request goes on. */
  readonly signal?: AbortSignal | undefined;
  /** Absent: for a process of its own, which answers nothing else. */
  readonly takeRoom?: TakeRoom | undefined;
}

/** A request as it is answered. */
export interface Answered {
  readonly document: RequestDocument;
  readonly isOver: boolean;
}

export interface RequestServiceOptions {
  readonly intake: RequestIntake;
  readonly store: RequestStore;
  readonly waiter: RequestWaiter;
  readonly canceller: RequestCanceller;
  readonly estimates: RequestEstimates;
  readonly queues: StageQueues;
  readonly bodies: Pick<MessageBodies, 'read'>;
}

/** What clients do with requests. */
export class RequestService {
  readonly #options: RequestServiceOptions;

  constructor(options: RequestServiceOptions) {
    this.#options = options;
  }

  /**
   * Accepts a request, and waits for its end as long as the client wants. What is accepted is never refused afterwards: a result that there is no
   * room for is left out, with where to read it. Throws what RequestIntake throws.
   */
  async submit(asked: AskedRequest, { waitMs, signal, takeRoom }: Answering): Promise<Answered> {
    const { intake, waiter, estimates, queues } = this.#options;
    const { id, accepted, stage } = await intake.submit(asked);
    if (waitMs > 0) await waiter.wait(id, { waitMs, signal });
    let standing: FoundRequest | undefined;
    if (accepted === undefined || waitMs > 0) {
      // Whoever accepted it may see it, whatever the key is bound to.
      const found = await this.#find(id, {});
      standing = found;
      if (found.endedAt !== undefined || accepted === undefined)
        return this.#answer(found, await this.#resultOrPlace(found, takeRoom));
    }
    const estimate = await estimates.estimate(
      accepted.origin.team,
      accepted.pipeline,
      await queues.of(stage),
    );
    const document = requestDocument(standing ?? newlyAccepted(accepted), undefined);
    return { document: { ...document, estimate }, isOver: false };
  }

  /** The request, when it has ended or the time is over. Throws MILLRACE_REQUEST_NOT_FOUND, and what TakeRoom throws. */
  async show(id: string, viewer: RequestViewer, { waitMs, signal, takeRoom }: Answering): Promise<Answered> {
    const found = await this.#find(id, viewer);
    if (waitMs === 0 || found.endedAt !== undefined)
      return this.#answer(found, await this.#result(found, takeRoom));
    await this.#options.waiter.wait(found.id, { waitMs, signal });
    const then = await this.#find(id, viewer);
    return this.#answer(then, await this.#result(then, takeRoom));
  }

  /** How the request stands, without its result, of which nothing is read. Throws MILLRACE_REQUEST_NOT_FOUND. */
  async stand(id: string, viewer: RequestViewer): Promise<RequestDocument> {
    return requestDocument(await this.#find(id, viewer, { withResult: false }), undefined);
  }

  /**
   * The request with its result, where that has at most so many bytes and there is room for it, else with where to read it: its size is looked
   * at first. Throws MILLRACE_REQUEST_NOT_FOUND.
   */
  async showSmall(
    id: string,
    viewer: RequestViewer,
    { maxBytes, takeRoom }: { readonly maxBytes: number; readonly takeRoom: TakeRoom },
  ): Promise<RequestDocument> {
    const found = await this.#find(id, viewer);
    const { result } = found;
    const isLarge = result !== undefined && bytesOfBody(result) > maxBytes;
    return requestDocument(found, isLarge ? placeOf(found) : await this.#resultOrPlace(found, takeRoom));
  }

  /** A page of requests, newest first. */
  async list(
    filter: RequestFilter,
    viewer: RequestViewer,
    page: { readonly limit: number; readonly after?: Uuid | undefined },
  ): Promise<RequestList> {
    const { requests, next } = await this.#options.store.list(filter, viewer, page);
    return {
      requests: requests.map((request) => summaryDocument(request)),
      ...(next === undefined ? {} : { next }),
    };
  }

  /** Cancels the request, and answers it as it is then. Throws what RequestCanceller throws. */
  async cancel(id: string, reason: string, operator: RequestOperator): Promise<Answered> {
    await this.#options.canceller.cancel(id, reason, operator);
    const found = await this.#find(id, operator, { withResult: false });
    return this.#answer(found, placeOf(found));
  }

  async #find(id: string, viewer: RequestViewer, reading = { withResult: true }): Promise<FoundRequest> {
    const found = await this.#options.store.find(id, viewer, reading);
    if (found !== undefined) return found;
    throw new AppError(
      requestErrors.MILLRACE_REQUEST_NOT_FOUND,
      'There is no such request, or it is not for this API key.',
    );
  }

  #answer(found: FoundRequest, part: ResultPart): Answered {
    return { document: requestDocument(found, part), isOver: found.endedAt !== undefined };
  }

  async #result({ result }: FoundRequest, takeRoom: TakeRoom | undefined): Promise<ResultPart> {
    if (result === undefined) return { result: null };
    takeRoom?.(bytesOfBody(result));
    return { result: await this.#options.bodies.read(result) };
  }

  async #resultOrPlace(found: FoundRequest, takeRoom: TakeRoom | undefined): Promise<ResultPart> {
    try {
      if (found.result !== undefined) takeRoom?.(bytesOfBody(found.result));
    } catch (error) {
      if (error instanceof AppError) return placeOf(found);
      throw error;
    }
    return await this.#result(found, undefined);
  }
}

function placeOf({ id }: FoundRequest): ResultPart {
  return { resultAt: `/v1/requests/${id}` };
}

/** A request that was written this moment: nothing has to be read of it. */
function newlyAccepted(accepted: AcceptedRequest): FoundRequest {
  return {
    ...accepted,
    state: 'queued',
    cancelAskedAt: undefined,
    endedAt: undefined,
    error: undefined,
    outputs: undefined,
    cost: { calls: 0, costUsd: zeroUsd, unpriced: 0, unsettled: 0, unsettledUsd: zeroUsd },
    result: undefined,
    stage: undefined,
    open: 1,
  };
}
