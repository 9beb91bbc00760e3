import type { Steering } from './batch-workload.ts';

/* What the run says to its host processes about batches, and what they answer. */

export type BatchOrder =
  /** Made, filled and started; answered when all of it is durable. */
  | { readonly kind: 'batch_submit'; readonly batch: number }
  | { readonly kind: 'batch_steer'; readonly batch: number; readonly what: Steering }
  | { readonly kind: 'batch_output'; readonly batch: number }
  | { readonly kind: 'batch_accounts'; readonly batch: number };

/** What the API says of a batch, as far as it is compared. */
export interface BatchAccount {
  readonly state: string;
  readonly items: Readonly<
    Record<'total' | 'open' | 'succeeded' | 'failed' | 'expired' | 'cancelled' | 'skipped', number>
  >;
  readonly costUsd: string;
  readonly unpriced: number;
  readonly report: {
    readonly isFinal: boolean;
    readonly isComplete: boolean;
    readonly items: Readonly<Record<string, number | string | undefined>>;
    readonly totalUsd: string;
    readonly wasteUsd: string;
    readonly calls: number;
    readonly unsettledCalls: number;
    readonly estimatedCalls: number;
    readonly openCalls: number;
    readonly openUpperBoundUsd: string;
  };
}

export interface BatchAnswers {
  readonly batch_submit: true;
  /** Not done: the batch was in no state in which it can be. */
  readonly batch_steer: { readonly isDone: boolean; readonly why?: string };
  readonly batch_output: string;
  readonly batch_accounts: BatchAccount;
}
