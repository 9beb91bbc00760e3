import type { CallObserver } from '../calls/call-observer.ts';
import type { LeasedMessage } from '../ledger/stored-message.ts';
import type { FailureDecision } from './failure-policy.ts';

/** How a run ended, told after it is durable. */
export type RunEnd =
  | { readonly kind: 'completed' }
  /** `code`: of the error that ended it. `lost`: the message is another run's. */
  | { readonly kind: FailureDecision['kind'] | 'lost'; readonly code: string };

/** Follows one run while it goes on. It must not throw, nor take time: nothing waits for what it does. */
export interface RunObserver extends CallObserver {
  /** The handler is about to be called. */
  began(): void;
  /** How much of the handler's work is done, from 0 to 1. */
  progress(share: number): void;
  /** Nothing more comes of the run. It may be told again: the first time counts. */
  ended(end: RunEnd): void;
}

/** Who wants to follow runs. */
export interface RunFollower {
  /** Asked of every run: answers at once, and nothing for those that nobody wants to follow. */
  follow(message: LeasedMessage): RunObserver | undefined;
}
