import { AppError } from '../../kernel/app-error.ts';
import type { Clock } from '../../kernel/clock.ts';
import { newId } from '../../kernel/ids.ts';
import type { Operator, Viewer } from '../../http/operator.ts';
import type { DeadLetterFilter, DeadLetterPlace } from './dead-letter.ts';
import type { OperationRecord } from '../../engine/ledger/operation-record.ts';
import type { DeadLetters } from './dead-letters.ts';
import type { StoredBody } from '../../engine/ledger/stored-message.ts';
import type { MessageBodies } from '../../engine/pipeline/message-bodies.ts';
import type { Publisher } from '../../engine/pipeline/publisher.ts';
import type { DeadLetterMetrics } from './dead-letter-metrics.ts';
import {
  type DeadLetterDocument,
  type DeadLetterList,
  describeDeadLetter,
  describeEntry,
  describePlan,
  type DiscardResult,
  type ReadData,
  type Replayed,
  type ReplayPlan,
} from './dead-letter-documents.ts';
import { cursorText } from './dead-letter-requests.ts';

/*
 * What an operator does with dead letters. Each slice of an operation is durable with its audit record before the
 * stages are notified, and who dies between two slices has done exactly what the audit says: repeating the rest is safe.
 */

/** Who reads one. */
export interface DeadLetterReader extends Viewer {
  /** Whether the message's data is shown. Default true. */
  readonly maySeeData?: boolean;
}

export interface DeadLetterServiceOptions {
  readonly ledger: DeadLetters;
  readonly bodies: Pick<MessageBodies, 'read'>;
  /** Notifies the stages; without one the sweeper does, some seconds later. */
  readonly publisher?: Pick<Publisher, 'notify'>;
  readonly metrics: DeadLetterMetrics;
  readonly clock: Clock;
}

export interface DiscardRequest {
  readonly filter: DeadLetterFilter;
  /** The most that are touched, oldest death first. */
  readonly max: number;
  readonly reason: string;
}

export interface ReplayRequest extends DiscardRequest {
  /** How many become due in a second at most; all at once without it. */
  readonly ratePerSecond?: number | undefined;
}

const sliceSize = 500;
const target = 'dead letters';
const withheld: ReadData = {
  problem: {
    code: 'MILLRACE_FORBIDDEN',
    message: 'This API key lacks the scope "messages:data".',
  },
};

export class DeadLetterService {
  readonly #options: DeadLetterServiceOptions;

  constructor(options: DeadLetterServiceOptions) {
    this.#options = options;
  }

  /** A page of dead letters, newest death first. */
  async list(
    filter: DeadLetterFilter,
    viewer: Viewer,
    { limit, after }: { readonly limit: number; readonly after?: DeadLetterPlace | undefined },
  ): Promise<DeadLetterList> {
    const { ledger } = this.#options;
    const { letters, next } = await ledger.list(filter, viewer, {
      limit,
      ...(after === undefined ? {} : { after }),
    });
    return {
      deadLetters: letters.map((letter) => describeEntry(letter)),
      ...(next === undefined ? {} : { next: cursorText(next) }),
    };
  }

  /**
   * Everything about one message that is dead or was; undefined when there is none for the viewer. A viewer who may not
   * see data gets the rest, with the reason in its place.
   */
  async show(
    id: string,
    { maySeeData = true, ...viewer }: DeadLetterReader,
  ): Promise<DeadLetterDocument | undefined> {
    const history = await this.#options.ledger.find(id, viewer);
    if (history === undefined) return undefined;
    return describeDeadLetter(history, maySeeData ? await this.#read(history.letter.body) : withheld);
  }

  /** What a replay of the same selection would meet, reuse and cost. Changes nothing. */
  async plan({ filter, max }: Pick<ReplayRequest, 'filter' | 'max'>, viewer: Viewer): Promise<ReplayPlan> {
    return describePlan(await this.#options.ledger.plan(filter, viewer, max), max);
  }

  /** Lets dead letters live again, oldest death first. */
  async replay(request: ReplayRequest, operator: Operator): Promise<Replayed> {
    const { ledger, publisher, clock } = this.#options;
    const { filter, ratePerSecond } = request;
    const stepMs = ratePerSecond === undefined ? 0 : 1000 / ratePerSecond;
    const startedMs = clock.monotonicMs();
    const result = await this.#inSlices('replayed', request, operator, async (record, limit, done) => {
      const firstMs = Math.max(0, done * stepMs - (clock.monotonicMs() - startedMs));
      const replayed = await ledger.replaySlice(filter, operator, { ...record, limit, firstMs, stepMs });
      for (const message of replayed) publisher?.notify(message.stage, message.id, message.delayMs);
      return replayed;
    });
    return { dryRun: false, ...result };
  }

  /** Lets dead letters lie for good: they keep their end, and are counted no more. */
  discard(request: DiscardRequest, operator: Operator): Promise<DiscardResult> {
    const { ledger } = this.#options;
    return this.#inSlices('discarded', request, operator, (record, limit) =>
      ledger.discardSlice(request.filter, operator, { ...record, limit }),
    );
  }

  async #inSlices(
    action: 'replayed' | 'discarded',
    request: ReplayRequest,
    operator: Operator,
    operate: (record: OperationRecord, limit: number, done: number) => Promise<readonly Touched[]>,
  ): Promise<DiscardResult> {
    const { clock, metrics } = this.#options;
    const { filter, max, reason, ratePerSecond } = request;
    const record: OperationRecord = {
      id: newId(clock.now()),
      actor: operator.actor,
      reason,
      target,
      detail: {
        filter,
        max,
        ...(ratePerSecond === undefined ? {} : { ratePerSecond }),
        ...(operator.team === undefined ? {} : { team: operator.team }),
      },
    };
    const counts = new Map<string, { readonly stage: string; readonly owner: string; count: number }>();
    let done = 0;
    while (done < max) {
      const limit = Math.min(sliceSize, max - done);
      const touched = await operate(record, limit, done);
      for (const { stage, owner } of touched) {
        metrics.increment('dead_letter_actions_total', { owner, stage, action });
        const known = counts.get(`${stage} ${owner}`);
        if (known === undefined) counts.set(`${stage} ${owner}`, { stage, owner, count: 1 });
        else known.count += 1;
      }
      done += touched.length;
      if (touched.length < limit) break;
    }
    const stages = [...counts.values()].toSorted((one, other) =>
      (one.stage === other.stage ? one.owner < other.owner : one.stage < other.stage) ? -1 : 1,
    );
    return { ...(done === 0 ? {} : { actionId: record.id }), count: done, hasMore: done === max, stages };
  }

  async #read(body: StoredBody): Promise<ReadData> {
    try {
      return { data: await this.#options.bodies.read(body) };
    } catch (error) {
      // A payload that is gone may be why the message died: everything else about it is shown all the same.
      if (!(error instanceof AppError)) throw error;
      return { problem: { code: error.code, message: error.message } };
    }
  }
}

interface Touched {
  readonly stage: string;
  readonly owner: string;
}
