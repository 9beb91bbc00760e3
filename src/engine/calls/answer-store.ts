import type { PayloadStore } from '../../drivers/payload-store/payload-store.ts';
import type { SettledCall } from '../ledger/call-ledger.ts';
import type { Logger } from '../../telemetry/logger.ts';

/** Where an answer is kept: in the call's row, or in the payload store. */
export type KeptAnswer = NonNullable<SettledCall['answer']>;

export interface AnswerStoreOptions {
  readonly payloads: PayloadStore;
  /** Larger answers go to the payload store. */
  readonly maxInlineAnswerBytes: number;
  /** False: no answer is kept, and a further run of a message asks and pays again. Default true. */
  readonly keeps?: boolean;
  readonly logger: Logger;
}

/** Larger answers are not kept in the ledger even when the payload store fails. */
const maxLedgerAnswerBytes = 8 * 1024 * 1024;

/** Keeps encoded answers for later runs, and fetches them. */
export class AnswerStore {
  readonly #options: AnswerStoreOptions;

  constructor(options: AnswerStoreOptions) {
    this.#options = options;
  }

  /**
   * Makes the answer durable, or says where it goes with the call's row. An answer is paid for: when the payload store
   * fails, it is kept in the ledger rather than lost. Undefined for one that is far too large for that, too, and where none is to be kept.
   */
  async keep(json: string, callId: string): Promise<KeptAnswer | undefined> {
    const { payloads, maxInlineAnswerBytes, logger, keeps = true } = this.#options;
    if (!keeps) return undefined;
    // A character is at most three bytes: most answers need no exact count.
    if (json.length * 3 <= maxInlineAnswerBytes) return { json };
    const bytes = Buffer.from(json);
    if (bytes.length <= maxInlineAnswerBytes) return { json };
    try {
      return { reference: await payloads.put(bytes) };
    } catch (error) {
      const isKept = bytes.length <= maxLedgerAnswerBytes;
      logger.warn({ error, callId, bytes: bytes.length, isKept }, 'the payload store did not take an answer');
      return isKept ? { json } : undefined;
    }
  }

  /** The encoded answer. Throws what the payload store throws. */
  async fetch(answer: KeptAnswer): Promise<string> {
    if ('json' in answer) return answer.json;
    return Buffer.from(await this.#options.payloads.get(answer.reference)).toString('utf8');
  }
}
