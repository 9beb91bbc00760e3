import type { Uuid } from '../kernel/ids.ts';
import type { Origin } from './origin.ts';

/** What every message carries besides its data; inherited along the tree or fixed at creation. */
export interface MessageEnvelope {
  readonly id: Uuid;
  /** The admitted message that all of this follows from; its own id for that one. */
  readonly rootId: Uuid;
  readonly parentId: Uuid | undefined;
  /** Who sent it, as a URI reference (CloudEvents `source`). */
  readonly source: string;
  /** The sender's id of the event (CloudEvents `id`). */
  readonly eventId: string;
  readonly type: string;
  /** Schema version of the data. */
  readonly version: number;
  readonly pipeline: string;
  /** The stage that consumes it; empty for a pipeline's output. */
  readonly stage: string;
  /** The team that owns the stage. */
  readonly owner: string;
  readonly lane: string;
  readonly origin: Origin;
  /** The thing that is worked on (a document, a ticket): costs are shown by it. The root's id unless it was named. */
  readonly item: string;
  /** W3C trace context: "00-<trace id>-<span id>-<flags>". */
  readonly traceParent: string;
  readonly createdAt: Date;
  /** When the root was admitted. */
  readonly admittedAt: Date;
}

/** One unit of work, as a handler sees it: the envelope with its data. */
export interface Message<Data = unknown> extends MessageEnvelope {
  readonly data: Data;
}
