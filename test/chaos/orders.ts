import type { BatchAnswers, BatchOrder } from './batch-answers.ts';
import type { FaultPoint } from './fault-points.ts';

/* What the run says to its host processes, over the channel that a forked process has, and what they answer. */

export type Order =
  | BatchOrder
  /** Admit these of the workload; answered when all are durable. */
  | { readonly kind: 'admit'; readonly indexes: readonly number[] }
  | { readonly kind: 'progress' }
  | { readonly kind: 'arm'; readonly point: FaultPoint }
  /** Wake messages that nobody asked to be woken, twice each and out of order. */
  | { readonly kind: 'notify_again'; readonly count: number; readonly salt: string }
  /** All leases run out now, as when the database's clock jumps; who holds one does not know. */
  | { readonly kind: 'expire_leases' }
  /** Answered when the pause counts everywhere. */
  | { readonly kind: 'pause'; readonly pause: OrderedPause }
  | { readonly kind: 'resume'; readonly pause: OrderedPause }
  /** What does not add up in the budgets. */
  | { readonly kind: 'budget_faults' }
  /** The configured budgets become those of the ledger again. */
  | { readonly kind: 'define_budgets' }
  /** A cost report by customer. */
  | { readonly kind: 'report' }
  /** What waits to be exported. */
  | { readonly kind: 'export_backlog' }
  /** Every dead letter that there is lives again. */
  | { readonly kind: 'replay' }
  | { readonly kind: 'fill_disk'; readonly forMs: number }
  /** The clock of the process is set by this from what it was at start; 0 sets it right again. */
  | { readonly kind: 'set_clock'; readonly byMs: number };

export interface OrderedPause {
  readonly scope: 'stage' | 'customer' | 'model';
  readonly value: string;
  readonly aborts: boolean;
}

/** A cost report by customer over the whole run, as far as it is compared. */
export interface ReportEvidence {
  readonly groups: readonly { readonly customer: string; readonly calls: number; readonly costUsd: string }[];
  readonly suspectCalls: number;
}

/** How far the ledger is. */
export interface Progress {
  readonly ended: number;
  readonly open: number;
  readonly reserved: number;
  readonly unexported: number;
  /** When the last of those messages is due whose runs were lost: after several losses that is minutes away. */
  readonly dueInMs: number;
  readonly batches: readonly BatchProgress[];
  /** Calls that are put off, and providers' batches under way. */
  readonly putOff: number;
}

/** How far a batch is. */
export interface BatchProgress {
  readonly name: string;
  readonly state: string;
  readonly items: number;
  readonly ended: number;
  readonly endedAt: string | null;
}

export const noProgress: Progress = {
  ended: 0,
  open: 0,
  reserved: 0,
  unexported: 0,
  dueInMs: 0,
  batches: [],
  putOff: 0,
};

export interface Answers extends BatchAnswers {
  readonly admit: {
    readonly admitted: number;
    /** Admissions that had to be refused and were tried beside these, and what was wrong about their refusals. */
    readonly refused: number;
    readonly wrong: readonly string[];
  };
  readonly progress: Progress;
  readonly arm: true;
  readonly notify_again: { readonly notified: number };
  readonly expire_leases: { readonly expired: number };
  readonly pause: true;
  readonly resume: true;
  readonly budget_faults: readonly string[];
  readonly define_budgets: true;
  readonly report:
    | { readonly kind: 'answered'; readonly report: ReportEvidence }
    | { readonly kind: 'refused'; readonly code: string };
  readonly export_backlog: { readonly records: number; readonly oldestSeconds: number };
  readonly replay: { readonly replayed: number };
  readonly fill_disk: true;
  readonly set_clock: true;
}

export interface OrderLine {
  readonly id: number;
  readonly order: Order;
}

export type HostLine =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string };

/** A process that could not open its stores at start ends with this: its supervisor starts it again. */
export const exitStoresAway = 75;
