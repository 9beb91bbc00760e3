import type { Readable } from 'node:stream';
import { type ApiKeyIdentity, shareOf } from '../../../http/api-key-identity.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { type EventStreams, finalIdOf, type ShowRequest, type ShownRequest } from './event-stream.ts';
import { type EventsQuery, positionOf } from './events-query.ts';
import { NativeRendering } from './native-rendering.ts';
import type { ResultRoom } from '../state/result-room.ts';
import type { OpenStreams } from './open-streams.ts';
import type { RequestListeners } from './request-listeners.ts';
import type { StreamTokenDocument } from './stream-token-document.ts';
import type { StreamTokens } from './stream-tokens.ts';
import { UiMessageRendering } from './ui-message-rendering.ts';

export interface RequestStreamsOptions {
  readonly show: ShowRequest;
  readonly streams: EventStreams;
  readonly open: OpenStreams;
  readonly listeners: RequestListeners;
  readonly tokens: StreamTokens;
  readonly room: ResultRoom;
  readonly clock: Clock;
}

/** A request that is older than this when a stream begins may have told its first text before. */
const newMs = 2000;

/** What clients do with the events of requests. */
export class RequestStreams {
  readonly #options: RequestStreamsOptions;

  constructor(options: RequestStreamsOptions) {
    this.#options = options;
  }

  /**
   * The events of a request as they come; undefined where nothing more comes. Throws MILLRACE_REQUEST_NOT_FOUND, MILLRACE_REQUEST_INVALID, and
   * what OpenStreams throws.
   */
  async events(
    id: string,
    caller: ApiKeyIdentity,
    { query, lastEventId }: { readonly query: EventsQuery; readonly lastEventId: string | undefined },
  ): Promise<Readable | undefined> {
    const { show, clock } = this.#options;
    const request = await show(id, caller);
    const isNative = query.format === 'native';
    const after = isNative ? positionOf(lastEventId, query, clock.now()) : 0;
    if (request.endedAt !== undefined) {
      if (query.whenEnded === 'none') return undefined;
      if (after >= finalIdOf(new Date(request.endedAt))) return undefined;
    }
    return await this.#open(request, caller, { after, isNative });
  }

  /** A token for reading the events of a request. Throws MILLRACE_REQUEST_NOT_FOUND. */
  async token(id: string, caller: ApiKeyIdentity): Promise<StreamTokenDocument> {
    const { show, tokens } = this.#options;
    const request = await show(id, caller);
    const { token, expiresAt } = await tokens.create(request.id, caller);
    const url = `/v1/requests/${request.id}/events?token=${token}`;
    return { token, expiresAt: expiresAt.toISOString(), url };
  }

  async #open(
    request: ShownRequest,
    caller: ApiKeyIdentity,
    { after, isNative }: { readonly after: number; readonly isNative: boolean },
  ): Promise<Readable> {
    const { streams, open, listeners, room, clock } = this.#options;
    const isListened = request.onDisconnect === 'cancel' && request.endedAt === undefined;
    const leave = isListened
      ? await listeners.listen(request.id, request.disconnectGraceSeconds * 1000)
      : () => undefined;
    const acceptedAt = new Date(request.createdAt);
    const isNew = after === 0 && clock.now().getTime() - acceptedAt.getTime() < newMs;
    const share = shareOf(caller);
    let giveRoom = (): void => undefined;
    const takeRoom = (bytes: number): void => {
      giveRoom = room.take(bytes, share);
    };
    const onClosed = (): void => {
      giveRoom();
      leave();
    };
    try {
      return open.open({
        rendering: isNative ? new NativeRendering() : new UiMessageRendering(),
        share,
        acceptedAt: isNew ? acceptedAt : undefined,
        events: (signal) => streams.open(request, { after, viewer: caller, signal, takeRoom }),
        onClosed,
      });
    } catch (error) {
      leave();
      throw error;
    }
  }
}
