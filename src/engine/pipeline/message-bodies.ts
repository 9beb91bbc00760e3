import { AppError } from '../../kernel/app-error.ts';
import { longTextBytes, ownTurn } from '../../kernel/event-loop-turn.ts';
import { parseReference } from '../../drivers/payload-store/payload-reference.ts';
import type { PayloadStore } from '../../drivers/payload-store/payload-store.ts';
import type { StoredBody } from '../ledger/stored-message.ts';

export interface MessageBodyLimits {
  /** Data up to this many bytes of JSON lies in the ledger, larger data in the payload store. */
  readonly inlineBytes: number;
  /** Data above this is refused. */
  readonly maxBytes: number;
}

/** Bytes of JSON of data, without reading it. */
export function bytesOfBody(body: StoredBody): number {
  return body.kind === 'inline' ? Buffer.byteLength(body.json) : parseReference(body.reference).sizeBytes;
}

/** Where the data of messages lies: small in the ledger's row, large in the payload store. */
export class MessageBodies {
  readonly #payloads: PayloadStore;
  readonly #limits: MessageBodyLimits;

  constructor(payloads: PayloadStore, limits: MessageBodyLimits) {
    this.#payloads = payloads;
    this.#limits = limits;
  }

  /** Stores the data if it is large. Throws MILLRACE_MESSAGE_TOO_LARGE. */
  async store(
    typeName: string,
    data: unknown,
  ): Promise<{ readonly body: StoredBody; readonly bodyBytes: number }> {
    const json = JSON.stringify(data) ?? 'null';
    const bodyBytes = Buffer.byteLength(json);
    if (bodyBytes > this.#limits.maxBytes) {
      throw new AppError(
        'MILLRACE_MESSAGE_TOO_LARGE',
        `The data of "${typeName}" has ${bodyBytes} bytes; at most ${this.#limits.maxBytes} are accepted`,
      );
    }
    if (bodyBytes <= this.#limits.inlineBytes) return { body: { kind: 'inline', json }, bodyBytes };
    const reference = await this.#payloads.put(Buffer.from(json));
    return { body: { kind: 'payload', reference }, bodyBytes };
  }

  async read(body: StoredBody): Promise<unknown> {
    if (body.kind === 'inline') return JSON.parse(body.json) as unknown;
    const bytes = Buffer.from(await this.#payloads.get(body.reference));
    if (bytes.length >= longTextBytes) await ownTurn();
    return JSON.parse(bytes.toString()) as unknown;
  }
}
