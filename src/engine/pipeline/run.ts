import { AppError } from '../../kernel/app-error.ts';
import type { LeasedMessage } from '../ledger/stored-message.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Lease } from './lease-renewer.ts';
import type { RunObserver } from './run-observer.ts';
import type { RunSpan } from './run-span.ts';
import type { RegisteredStage } from './stage-registry.ts';

/** A message that is leased to this process, and what is known of its run. */
export interface Run {
  readonly stage: RegisteredStage;
  readonly message: LeasedMessage;
  readonly lease: Lease;
  /** Carries the message's fields. Made when first asked for: most runs log nothing. */
  readonly logger: () => Logger;
  readonly startedMs: number;
  readonly leasedAt: Date;
  /** Called once, when nothing of the run has to be kept any more: its slot is free. */
  readonly onDurable: () => void;
  readonly span: RunSpan | undefined;
  /** Who follows it while it goes on. */
  readonly observer: RunObserver | undefined;
  /** Whether its handler was called. */
  hasBegun: boolean;
}

/** The run's message is another one's, or nobody's. */
export function leaseExpired(id: string): AppError {
  return new AppError('MILLRACE_LEASE_EXPIRED', `The lease on message ${id} had passed on before it ended`);
}
