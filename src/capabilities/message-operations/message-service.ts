import { AppError } from '../../kernel/app-error.ts';
import type { Clock } from '../../kernel/clock.ts';
import { newId, type Uuid } from '../../kernel/ids.ts';
import type { OperationRecord } from '../../engine/ledger/operation-record.ts';
import type { SteeredMessage } from '../../engine/ledger/message-cancellations.ts';
import type { DescribedMessage, MessageOperations, OpenMessage } from './message-operations.ts';
import type { Operator, Viewer } from '../../http/operator.ts';
import type { MessageSearch } from './message-search.ts';
import type { MessageFilter, MessagePlace } from './message-selection.ts';
import type { StoredBody } from '../../engine/ledger/stored-message.ts';
import type { MessageBodies } from '../../engine/pipeline/message-bodies.ts';
import type { MessageCanceller } from '../../engine/pipeline/message-canceller.ts';
import type { Publisher } from '../../engine/pipeline/publisher.ts';
import {
  describeSummary,
  type MessageData,
  type MessageList,
  type MessageTree,
  type SkippedReason,
  type Steered,
} from './message-documents.ts';
import { messageCursor, type SteerRequest } from './message-requests.ts';

/*
 * What operators see of messages and do with them. Each slice of an operation is durable with its audit record before any
 * stage is notified; whoever dies between two slices has done exactly what the audit says, and repeating the rest is safe.
 */

export interface MessageServiceOptions {
  readonly search: MessageSearch;
  readonly operations: MessageOperations;
  readonly canceller: MessageCanceller;
  readonly bodies: Pick<MessageBodies, 'read'>;
  /** Notifies the stages; without one the sweeper does, some seconds later. */
  readonly publisher?: Pick<Publisher, 'notify'>;
  readonly clock: Clock;
}

const sliceSize = 200;
/** A row that somebody is about to change is come back to this often. */
const rounds = 20;
const roundPauseMs = 25;
const maxTree = 2000;

type Steering = 'cancel' | 'retry';

export class MessageService {
  readonly #options: MessageServiceOptions;

  constructor(options: MessageServiceOptions) {
    this.#options = options;
  }

  /** A page of messages, newest first. */
  async list(
    filter: MessageFilter,
    viewer: Viewer,
    page: { readonly limit: number; readonly after?: MessagePlace | undefined },
  ): Promise<MessageList> {
    const { messages, next } = await this.#options.search.list(filter, viewer, page);
    return {
      messages: messages.map((message) => describeSummary(message)),
      ...(next === undefined ? {} : { next: messageCursor(next) }),
    };
  }

  /** The tree that the message is in: its root and all that followed; undefined when there is none for the viewer. */
  async tree(id: string, viewer: Viewer): Promise<MessageTree | undefined> {
    const tree = await this.#options.search.tree(id, viewer, maxTree);
    const [first] = tree?.messages ?? [];
    if (tree === undefined || first === undefined) return undefined;
    return {
      rootId: first.rootId,
      messages: tree.messages.map((message) => describeSummary(message)),
      isCut: tree.isCut,
    };
  }

  /** The data of the message and what its handler returned; undefined when there is none for the viewer. */
  async data(id: string, viewer: Viewer): Promise<MessageData | undefined> {
    const found = await this.#options.search.body(id, viewer);
    if (found === undefined) return undefined;
    const { envelope, body, result } = found;
    return {
      id: envelope.id,
      type: envelope.type,
      version: envelope.version,
      ...(await this.#read(body)),
      ...(result === undefined ? {} : { result: JSON.parse(result) as unknown }),
    };
  }

  /** Ends open messages for good; what is being worked on is aborted within a second, in whichever process. */
  cancel(request: SteerRequest, operator: Operator): Promise<Steered> {
    return this.#steer('cancel', request, operator);
  }

  /** Makes messages that wait for a time due now. Those that wait for a pause, for room in a quota or for their turn go on waiting. */
  retryNow(request: SteerRequest, operator: Operator): Promise<Steered> {
    return this.#steer('retry', request, operator);
  }

  async #steer(steering: Steering, request: SteerRequest, operator: Operator): Promise<Steered> {
    const { filter, max, dryRun } = request;
    const { operations } = this.#options;
    const later = steering === 'retry';
    const found = await operations.select(filter, operator, { later, limit: max + 1 });
    const selected = found.slice(0, max);
    const record = this.#recordOf(request, operator);
    const touched = dryRun ? selected : await this.#inSlices(steering, selected, record);
    const done = new Set(touched.map(({ id }) => id));
    return {
      dryRun,
      ...(dryRun || touched.length === 0 ? {} : { actionId: record.id }),
      count: touched.length,
      hasMore: found.length > max,
      stages: countByStage(touched),
      skipped: await this.#skipped(
        steering,
        (filter.ids ?? []).filter((id) => !done.has(id)),
        operator,
      ),
    };
  }

  async #inSlices(
    steering: Steering,
    selected: readonly OpenMessage[],
    record: OperationRecord,
  ): Promise<readonly SteeredMessage[]> {
    const touched: SteeredMessage[] = [];
    for (let from = 0; from < selected.length; from += sliceSize) {
      let open = selected.slice(from, from + sliceSize).map(({ id }) => id);
      for (let round = 0; round < rounds && open.length > 0; round += 1) {
        if (round > 0) await this.#options.clock.sleep(roundPauseMs);
        const slice = await this.#operate(steering, open, record);
        touched.push(...slice);
        const done = new Set(slice.map(({ id }) => id));
        open = open.filter((id) => !done.has(id));
        // What was made due later is found by its own notification; only a cancel must reach every open one.
        if (steering === 'retry') break;
        open = [...(await this.#options.canceller.openAmong(open))];
      }
    }
    return touched;
  }

  async #operate(
    steering: Steering,
    ids: readonly Uuid[],
    record: OperationRecord,
  ): Promise<readonly SteeredMessage[]> {
    const { operations, canceller, publisher } = this.#options;
    if (steering === 'retry') {
      const hurried = await operations.hurry(ids, record);
      for (const message of hurried) publisher?.notify(message.stage, message.id);
      return hurried;
    }
    return await canceller.cancel(ids, record);
  }

  #recordOf({ filter, max, reason }: SteerRequest, { actor, team }: Operator): OperationRecord {
    const detail = { filter, max, ...(team === undefined ? {} : { team }) };
    return { id: newId(this.#options.clock.now()), actor, reason, target: 'messages', detail };
  }

  async #skipped(steering: Steering, ids: readonly Uuid[], viewer: Viewer): Promise<Steered['skipped']> {
    if (ids.length === 0) return [];
    const described = await this.#options.operations.describe(ids, viewer);
    const known = new Map(described.map((message) => [message.id, message]));
    return ids.map((id) => ({ id, ...whySkipped(steering, known.get(id)) }));
  }

  async #read(body: StoredBody): Promise<Pick<MessageData, 'data' | 'dataProblem'>> {
    try {
      return { data: await this.#options.bodies.read(body) };
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return { dataProblem: { code: error.code, message: error.message } };
    }
  }
}

function whySkipped(
  steering: Steering,
  message: DescribedMessage | undefined,
): { readonly reason: SkippedReason; readonly todo: string } {
  if (message === undefined)
    return {
      reason: 'unknown',
      todo: 'Check the id; ended messages leave the ledger after the retention time.',
    };
  switch (message.state) {
    case 'completed':
    case 'cancelled':
      return { reason: 'ended', todo: 'Nothing: it has ended.' };
    case 'dead_lettered':
      return {
        reason: 'dead_lettered',
        todo: 'It was given up: replay it ("millrace dead-letters replay"), or discard it.',
      };
    case 'leased':
      return { reason: 'running', todo: 'Wait for its run to end, or cancel it.' };
    case 'pending':
      if (message.parkedFor !== undefined)
        return {
          reason: 'waits',
          todo: `It waits for ${message.parkedFor}: resume, raise the limit, or let the message before it end.`,
        };
      return steering === 'retry' && !message.isDueLater
        ? { reason: 'due', todo: 'Nothing: it is due, and runs when a worker is free.' }
        : { reason: 'waits', todo: 'It did not match, or was being changed: ask again.' };
  }
}

function countByStage(messages: readonly OpenMessage[]): Steered['stages'] {
  const groups = Map.groupBy(messages, ({ stage, owner }) => JSON.stringify([stage, owner]));
  return [...groups.values()]
    .flatMap(([first, ...others]) =>
      first === undefined ? [] : [{ stage: first.stage, owner: first.owner, count: others.length + 1 }],
    )
    .toSorted((one, other) =>
      (one.stage === other.stage ? one.owner < other.owner : one.stage < other.stage) ? -1 : 1,
    );
}
