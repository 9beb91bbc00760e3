import { AppError } from '../kernel/app-error.ts';
import type { SqlStatement } from '../drivers/sql-database/sql-database.ts';
import type { MessageVersion } from '../messages/message-type.ts';
import type { AdmissionReceipt, AdmitOptions } from '../engine/pipeline/admissions.ts';
import { DeadLetterService } from '../capabilities/dead-letters/dead-letter-service.ts';
import { MessageService } from '../capabilities/message-operations/message-service.ts';
import {
  type MessageEnd,
  MessageWaiter,
  type WaitOptions,
} from '../capabilities/message-operations/message-waiter.ts';
import type { DataOf } from '../engine/pipeline/stage-context.ts';
import { PauseService } from '../capabilities/pauses/pause-service.ts';
import { TriggerService } from '../capabilities/triggers/trigger-service.ts';
import { WaitService } from '../capabilities/waits/wait-service.ts';
import type { Host } from './host.ts';
import { type HostStatus, readHostStatus } from './host-status.ts';

const probe: SqlStatement = {
  name: 'ledger.probe_open',
  text: 'select 1 as one from millrace.messages where sweep_at is not null limit 1',
};

/**
 * What an application uses of Millrace: inject it, admit messages, ask how things stand. While the application closes, and
 * after it, everything throws MILLRACE_CLOSING that needs a store which is closed by then.
 */
export class Millrace {
  readonly #host: Host;

  constructor(host: Host) {
    this.#host = host;
  }

  /**
   * Admits a message: checked, durable in the ledger, its stage notified. Throws MILLRACE_ORIGIN_INVALID,
   * MILLRACE_MESSAGE_INVALID, MILLRACE_MESSAGE_TYPE_UNKNOWN, MILLRACE_MESSAGE_VERSION_UNSUPPORTED,
   * MILLRACE_MESSAGE_TOO_LARGE or MILLRACE_BUDGET_EXHAUSTED, with nothing written.
   */
  admit<Version extends MessageVersion>(
    version: Version,
    data: DataOf<Version>,
    options: AdmitOptions,
  ): Promise<AdmissionReceipt> {
    return this.#open(() => this.#host.admissions.admit(version, data, options));
  }

  /**
   * Waits for a message to end, and on request for everything that followed from it; how it ended is what is answered, so
   * that a dead letter does not throw. Throws MILLRACE_NOT_FOUND, MILLRACE_WAIT_TIMEOUT, or the reason of the signal.
   */
  waitFor(id: string, options: WaitOptions = {}): Promise<MessageEnd> {
    return this.#open(() => this.#host.service(MessageWaiter).wait(id, options));
  }

  /** Messages: to be listed, shown with all that followed, cancelled, or made due now. */
  get messages(): MessageService {
    return this.#host.service(MessageService);
  }

  /** Messages that were given up on: to be looked at, replayed, discarded. */
  get deadLetters(): DeadLetterService {
    return this.#host.service(DeadLetterService);
  }

  /** What operators have stopped: to be looked at, placed, lifted. */
  get pauses(): PauseService {
    return this.#host.service(PauseService);
  }

  /** Messages that wait for an outside event (`ctx.waitFor`): to be listed, and to be given their data. */
  get waits(): WaitService {
    return this.#host.service(WaitService);
  }

  /** Events of this process, for triggers. */
  get triggers(): TriggerService {
    return this.#host.service(TriggerService);
  }

  /** Whether nothing is pending or being worked on. */
  async isIdle(): Promise<boolean> {
    const { rows } = await this.#open(() => this.#host.stores.database.query(probe));
    return rows.length === 0;
  }

  /** Brings everything that is settled into the column store now. */
  async flushUsage(): Promise<void> {
    await this.#open(() => this.#host.exporter.drain());
  }

  /** Counts and sums as they stand. Reads the whole ledger: for people, not for loops. */
  status(): Promise<HostStatus> {
    const { stores, clock, capabilities } = this.#host;
    return this.#open(() => readHostStatus({ database: stores.database, clock: clock.time, capabilities }));
  }

  /** Stores that are away because this process has closed them are no outage. */
  async #open<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      if (!this.#host.isClosing || !(error instanceof AppError) || !error.retryable) throw error;
      throw new AppError('MILLRACE_CLOSING', 'The application is closing: it takes nothing more.', {
        cause: error,
      });
    }
  }
}
