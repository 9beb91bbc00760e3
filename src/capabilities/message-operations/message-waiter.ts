import { AppError } from '../../kernel/app-error.ts';
import type { Clock, Timer } from '../../kernel/clock.ts';
import type { Viewer } from '../../http/operator.ts';
import type { MessageProgress, MessageSearch } from './message-search.ts';
import { hasEnded, type MessageState } from '../../engine/ledger/message-state.ts';
import type { EndedMessages } from '../../engine/pipeline/ended-messages.ts';
import { messageOperationErrors } from './message-operation-errors.ts';

/** How long to wait, and for what. */
export interface WaitOptions {
  /** After which the wait fails with MILLRACE_WAIT_TIMEOUT; the message goes on. Without it, for ever. */
  readonly timeoutMs?: number;
  /** Ends the wait with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Also waits for everything that followed from the message, however deep. Default false. */
  readonly includeChildren?: boolean;
}

/** How a message ended. */
export interface MessageEnd {
  readonly id: string;
  readonly state: MessageState;
  /** What its handler returned; undefined when that was nothing, or when it did not succeed. */
  readonly result: unknown;
  /** Why it was given up or cancelled. */
  readonly errorCode: string | undefined;
  /** With `includeChildren`: how many messages there are in all … */
  readonly messages: number;
  /** … and how many of them were given up or cancelled. */
  readonly failed: number;
}

export interface MessageWaiterOptions {
  readonly search: Pick<MessageSearch, 'progress'>;
  readonly clock: Clock;
  /** What ends in this process; without it the ledger is asked only. */
  readonly ends?: EndedMessages;
}

const firstPauseMs = 100;
const longestPauseMs = 2000;

/** Waits for messages to end: notified at once of what ends in this process, else by asking the ledger ever less often. */
export class MessageWaiter {
  readonly #options: MessageWaiterOptions;

  constructor(options: MessageWaiterOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the message has ended, however it did. Throws MILLRACE_NOT_FOUND, MILLRACE_WAIT_TIMEOUT, or the
   * reason of the signal.
   */
  async wait(id: string, options: WaitOptions = {}, viewer: Viewer = {}): Promise<MessageEnd> {
    const { timeoutMs, signal, includeChildren = false } = options;
    const timeout = timeoutMs === undefined ? undefined : deadlineOf(this.#options.clock, id, timeoutMs);
    const stop = AbortSignal.any([signal, timeout?.signal].filter((one) => one !== undefined));
    try {
      return await this.#until(id, { stop, children: includeChildren, viewer });
    } finally {
      timeout?.timer.close();
    }
  }

  async #until(
    id: string,
    { stop, children, viewer }: { stop: AbortSignal; children: boolean; viewer: Viewer },
  ): Promise<MessageEnd> {
    const bell = new Bell(this.#options.clock);
    let silence: (() => void) | undefined;
    try {
      for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
        stop.throwIfAborted();
        const progress = await this.#options.search.progress(id, viewer, { children });
        if (progress === undefined)
          throw new AppError('MILLRACE_NOT_FOUND', `There is no message ${id}, or it left the ledger.`);
        if (isOver(progress, children)) return endOf(id, progress);
        if (silence === undefined && this.#options.ends !== undefined) {
          // What ended between the look and this is found by the next look, which comes at once.
          silence = this.#options.ends.listen(progress.rootId, () => bell.ring());
          bell.ring();
        }
        await bell.heard(pauseMs, stop);
      }
    } finally {
      silence?.();
    }
  }
}

/** Rings once for whoever listens, or for the next who does. */
class Bell {
  readonly #clock: Clock;
  #rung = false;
  #wake: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  /** Resolves when it rings, when the time is over, or when the signal aborts. */
  async heard(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const wake = (): void => resolve();
      this.#wake = wake;
      const timer = this.#clock.startTimer(ms, wake);
      signal.addEventListener('abort', wake, { once: true });
      await promise;
      timer.close();
      signal.removeEventListener('abort', wake);
      this.#wake = undefined;
    }
    this.#rung = false;
  }
}

function deadlineOf(
  clock: Clock,
  id: string,
  ms: number,
): { readonly signal: AbortSignal; readonly timer: Timer } {
  const controller = new AbortController();
  const error = new AppError(
    messageOperationErrors.MILLRACE_WAIT_TIMEOUT,
    `Message ${id} had not ended after ${ms} ms.`,
  );
  const timer = clock.startTimer(ms, () => controller.abort(error));
  return { signal: controller.signal, timer };
}

function isOver({ state, open }: MessageProgress, children: boolean): boolean {
  return children ? open === 0 : hasEnded(state);
}

function endOf(id: string, { state, result, errorCode, messages, failed }: MessageProgress): MessageEnd {
  return {
    id,
    state,
    result: result === undefined ? undefined : (JSON.parse(result) as unknown),
    errorCode,
    messages,
    failed,
  };
}
