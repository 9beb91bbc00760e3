import type { Uuid } from '../../kernel/ids.ts';
import type { Origin } from '../../messages/origin.ts';

/** The message that calls are made for, under one lease of it. */
export interface OwningMessage {
  readonly id: Uuid;
  readonly rootId: Uuid;
  /** Of the lease that the calls are made under. */
  readonly fencingToken: number;
  readonly pipeline: string;
  readonly stage: string;
  readonly owner: string;
  readonly item: string;
  readonly traceParent: string;
  /** How often it was handed out, this time included; from the second time on earlier calls are looked up. */
  readonly deliveries: number;
}

/** Who calls are made for: always an origin, and inside a stage the message. */
export interface CallAttribution {
  readonly origin: Origin;
  readonly message: Omit<OwningMessage, 'fencingToken' | 'deliveries'> | undefined;
}

/** What makes calls: one run of a handler, or some work outside a stage. */
export interface CallMaker {
  readonly owner: CallAttribution & { readonly message: OwningMessage | undefined };
  /** What the ids of its calls derive from. A lease of its own, so that an older one's late calls never collide. */
  readonly idRoot: string;
  /** Ends every wait: the lease has expired, the handler's time is over. */
  readonly signal: AbortSignal;
}
