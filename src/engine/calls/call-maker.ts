import type { CallObserver } from './call-observer.ts';
import type { CallAttribution } from '../ledger/attributed-call.ts';

/** The message that calls are made for, under one lease of it. */
export type OwningMessage = NonNullable<CallAttribution['message']> & {
  /** Of the lease that the calls are made under. */
  readonly fencingToken: number;
  /** How often it was handed out, this time included; from the second time on earlier calls are looked up. */
  readonly deliveries: number;
};

/** What makes calls: one run of a handler, or some work outside a stage. */
export interface CallMaker {
  readonly owner: CallAttribution & { readonly message: OwningMessage | undefined };
  /** What the ids of its calls derive from. A lease of its own, so that an older one's late calls never collide. */
  readonly idRoot: string;
  /** Ends every wait: the lease has expired, the handler's time is over. */
  readonly signal: AbortSignal;
  /** Who follows its calls while they are made. */
  readonly observer?: CallObserver | undefined;
}
