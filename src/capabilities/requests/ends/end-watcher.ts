import type { EndedMessages } from '../../../engine/pipeline/ended-messages.ts';
import type { Uuid } from '../../../kernel/ids.ts';
import { mayBeRequestId } from '../../../messages/request-id.ts';
import type { Logger } from '../../../telemetry/logger.ts';
import type { RequestEndLedger } from './end-ledger.ts';
import type { EndRecorder } from './end-recorder.ts';

/** Trees that are looked at together. */
const maxGroup = 100;
/** One more that has ended meanwhile is left to the maintenance role. */
const maxNoted = 10_000;

export interface EndWatcherOptions {
  readonly ledger: Pick<RequestEndLedger, 'findEndedAmong'>;
  readonly recorder: Pick<EndRecorder, 'record'>;
  readonly logger: Logger;
}

/**
 * Records the ends of requests as soon as a message of theirs has ended in this process. It saves time and is relied on for nothing: what it misses, the
 * maintenance role finds. While one group is looked at, further trees collect, each once.
 */
export class EndWatcher {
  readonly #options: EndWatcherOptions;
  readonly #noted = new Set<Uuid>();
  #work: Promise<void> | undefined;

  constructor(options: EndWatcherOptions) {
    this.#options = options;
  }

  /** Looks at trees of requests whenever a message of theirs ends. */
  watch(ends: EndedMessages): void {
    ends.watch((rootId) => {
      if (mayBeRequestId(rootId)) this.note(rootId);
    });
  }

  /** The tree may have ended. */
  note(rootId: Uuid): void {
    if (this.#noted.size >= maxNoted) return;
    this.#noted.add(rootId);
    this.#work ??= this.#lookAtAll();
  }

  /** Resolves when all that was noted has been looked at. */
  async drain(): Promise<void> {
    await this.#work;
  }

  async #lookAtAll(): Promise<void> {
    // What ends in the same turn is looked at together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#noted.size > 0) {
      const ids = [...this.#noted].slice(0, maxGroup);
      for (const id of ids) this.#noted.delete(id);
      await this.#lookAt(ids);
    }
    this.#work = undefined;
  }

  async #lookAt(ids: readonly Uuid[]): Promise<void> {
    const { ledger, recorder, logger } = this.#options;
    try {
      await recorder.record(await ledger.findEndedAmong(ids));
    } catch (error) {
      logger.debug({ error, trees: ids.length }, 'ends of requests are left to the maintenance role');
    }
  }
}
