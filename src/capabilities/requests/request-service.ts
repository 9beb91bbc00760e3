import type { MessageBodies } from '../../engine/pipeline/message-bodies.ts';
import { AppError } from '../../kernel/app-error.ts';
import type { Uuid } from '../../kernel/ids.ts';
import { zeroUsd } from '../../kernel/money.ts';
import type { RequestCanceller } from './ends/request-canceller.ts';
import type { AskedRequest, RequestIntake } from './intake/request-intake.ts';
import type { RequestEstimates } from './intake/request-estimates.ts';
import type { StageQueues } from './intake/stage-queues.ts';
import type { AcceptedRequest, RequestOperator, RequestViewer } from './request.ts';
import { requestErrors } from './request-errors.ts';
import {
  requestDocument,
  type RequestDocument,
  type RequestList,
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

  /** Accepts a request, and waits for its end as long as the client wants. Throws what RequestIntake throws. */
  async submit(asked: AskedRequest, { waitMs, signal }: Answering): Promise<Answered> {
    const { intake, waiter, estimates, queues } = this.#options;
    const { id, accepted, stage } = await intake.submit(asked);
    const isOver = waitMs > 0 && (await waiter.wait(id, { waitMs, signal }));
    if (accepted === undefined || waitMs > 0) {
      // Whoever accepted it may see it, whatever the key is bound to.
      const found = await this.#find(id, {});
      if (isOver || found.endedAt !== undefined || accepted === undefined) return await this.#answer(found);
    }
    const estimate = await estimates.estimate(
      accepted.origin.team,
      accepted.pipeline,
      await queues.of(stage),
    );
    const document = requestDocument(newlyAccepted(accepted), undefined);
    return { document: { ...document, estimate }, isOver: false };
  }

  /** The request, when it has ended or the time is over. Throws MILLRACE_REQUEST_NOT_FOUND. */
  async show(id: string, viewer: RequestViewer, { waitMs, signal }: Answering): Promise<Answered> {
    const found = await this.#find(id, viewer);
    if (waitMs === 0 || found.endedAt !== undefined) return await this.#answer(found);
    await this.#options.waiter.wait(found.id, { waitMs, signal });
    return await this.#answer(await this.#find(id, viewer));
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
    return await this.#answer(await this.#find(id, operator));
  }

  async #find(id: string, viewer: RequestViewer): Promise<FoundRequest> {
    const found = await this.#options.store.find(id, viewer);
    if (found !== undefined) return found;
    throw new AppError(
      requestErrors.MILLRACE_REQUEST_NOT_FOUND,
      'There is no such request, or it is not for this API key.',
    );
  }

  async #answer(found: FoundRequest): Promise<Answered> {
    const result = found.result === undefined ? null : await this.#options.bodies.read(found.result);
    return { document: requestDocument(found, result), isOver: found.endedAt !== undefined };
  }
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
