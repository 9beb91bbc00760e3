import { AppError } from '../../kernel/app-error.ts';
import type { Clock } from '../../kernel/clock.ts';
import { newId } from '../../kernel/ids.ts';
import type { EventWaits, OpenEventWait, TokenWait } from '../../engine/ledger/event-waits.ts';
import { isEventToken } from '../../engine/pipeline/event-wait-token.ts';
import type { MessageBodies } from '../../engine/pipeline/message-bodies.ts';
import { placementOf } from '../../engine/pipeline/placement.ts';
import type { Publisher } from '../../engine/pipeline/publisher.ts';
import type { StageRegistry } from '../../engine/pipeline/stage-registry.ts';
import type { Operator, Viewer } from '../../http/operator.ts';
import { storedForm } from '../../messages/message-type.ts';
import type { CompletedWait, WaitDocument, WaitList } from './wait-documents.ts';
import { waitErrors } from './wait-errors.ts';
import type { CompleteWait } from './wait-requests.ts';

export interface WaitServiceOptions {
  readonly waits: EventWaits;
  readonly registry: Pick<StageRegistry, 'find'>;
  readonly bodies: Pick<MessageBodies, 'store'>;
  readonly publisher: Pick<Publisher, 'notify'>;
  readonly clock: Clock;
}

/** Messages that wait for an outside event: what there is, and giving one its data. */
export class WaitService {
  readonly #options: WaitServiceOptions;

  constructor(options: WaitServiceOptions) {
    this.#options = options;
  }

  /** Those that wait, the oldest first. */
  async list(
    { team }: Viewer,
    { limit, after }: { limit: number; after?: string | undefined },
  ): Promise<WaitList> {
    const waits = await this.#options.waits.list(team, after, limit);
    const next = waits.length === limit ? waits.at(-1)?.id : undefined;
    return { waits: waits.map((wait) => documentOf(wait)), ...(next === undefined ? {} : { next }) };
  }

  /**
   * Gives the message of the token its data, once. Throws MILLRACE_WAIT_NOT_FOUND, MILLRACE_WAIT_NOT_READY, MILLRACE_WAIT_ENDED, and what an
   * admission throws for data that does not fit.
   */
  async complete(
    token: string,
    { data, reason }: CompleteWait,
    { team, actor }: Operator,
  ): Promise<CompletedWait> {
    const { waits, registry, bodies, publisher, clock } = this.#options;
    const wait = isEventToken(token) ? await waits.find(token, team) : undefined;
    if (wait === undefined) throw notFound();
    const { id, message } = wait;
    if (message === undefined) {
      // Nobody knows yet whose it is.
      if (team !== undefined) throw notFound();
      throw new AppError(waitErrors.MILLRACE_WAIT_NOT_READY, 'The message does not wait yet.');
    }
    if (!message.isOpen) throw ended(wait);
    const definition = registry.find(message.stage)?.definition;
    if (definition === undefined)
      throw new AppError('MILLRACE_MESSAGE_TYPE_UNKNOWN', `No stage of this host consumes ${message.type}.`);
    const stored = storedForm(message.type, data);
    const read = definition.consumes.read(message.version, stored);
    const { body, bodyBytes } = await bodies.store(message.type, stored);
    const { lane, orderKey } = placementOf(definition, read, { team: message.team, body, bodyBytes });
    const auditId = newId(clock.now());
    const done = await waits.complete({ id, body, bodyBytes, lane, orderKey, actor, auditId, reason });
    // Somebody else was first, or the time was over meanwhile.
    if (done === undefined) throw ended((await waits.find(token, team)) ?? wait);
    publisher.notify(done.stage, id);
    return { id, stage: done.stage };
  }
}

function documentOf({ note, hasDefault, createdAt, expiresAt, ...wait }: OpenEventWait): WaitDocument {
  return {
    ...wait,
    ...(note === undefined ? {} : { note }),
    createdAt: createdAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
    onExpiry: hasDefault ? 'default' : 'dead_letter',
  };
}

function notFound(): AppError {
  return new AppError(waitErrors.MILLRACE_WAIT_NOT_FOUND, 'There is no wait of this token.');
}

function ended({ endedBy }: TokenWait): AppError {
  const how =
    endedBy === 'completed'
      ? 'was completed'
      : endedBy === 'expired'
        ? 'has expired'
        : 'has expired, or was cancelled';
  return new AppError(waitErrors.MILLRACE_WAIT_ENDED, `The wait ${how}.`);
}
