import type { Uuid } from '../../kernel/ids.ts';
import type { Usd } from '../../kernel/money.ts';
import type { Cost } from '../../pricing/price.ts';
import type { TokenCounts } from '../../pricing/token-classes.ts';

/** How a call ended. `unsettled`: it may have been billed, and nobody knows (its process died, or its answer was cut). */
export type CallOutcome = 'ok' | 'error' | 'cancelled' | 'unsettled';
/** How the usage is known: the provider reported it, it was counted by us, it cost nothing (refused before work), or nobody knows. */
export type Settlement = 'reported' | 'estimated' | 'free' | 'unsettled';

/** Why the cost of a call is waste: no work of a stage rests on it. */
export const wasteReasons = ['failed', 'aborted', 'duplicate', 'retried', 'invalid_output'] as const;
export type WasteReason = (typeof wasteReasons)[number];

/** What became of an answer of a cascade's model before the last: it was taken, or the next model was asked. */
export type CascadeVerdict = 'accepted' | 'escalated';

/** What happened to a call. */
export interface SettledCall {
  readonly id: Uuid;
  readonly state: 'settled' | 'unsettled';
  readonly outcome: CallOutcome;
  readonly settlement: Settlement;
  readonly errorType: string | undefined;
  readonly answeredModel: string | undefined;
  readonly tier: string;
  readonly providerRequestId: string | undefined;
  readonly tokens: TokenCounts;
  /** The provider's usage block, as it came. */
  readonly rawUsage: string | undefined;
  /** Undefined when unpriced or unsettled. */
  readonly costUsd: Usd | undefined;
  /** The same by class, where it is known: for the usage record. */
  readonly cost?: Cost | undefined;
  /** What it may have cost at most, while that is open: estimated and unsettled calls. */
  readonly upperBoundUsd: Usd | undefined;
  readonly priceReference: string | undefined;
  readonly priceCatalogue: string | undefined;
  readonly wasteReason: WasteReason | undefined;
  readonly durationMs: number;
  readonly firstChunkMs: number | undefined;
  /** The answer to be reused, as JSON or as a reference into the payload store. */
  readonly answer: { readonly json: string } | { readonly reference: string } | undefined;
  /** The answer is of no use and is never given again. */
  readonly isInvalidated?: boolean;
  /** What became of the answer in its cascade; undefined where that is not decided, or there is none. */
  readonly verdict?: CascadeVerdict | undefined;
  /** Of an accepted answer: what it would have cost at the last model of the cascade; undefined when that has no price. */
  readonly cascadeUsd?: Usd | undefined;
  /** The provider reported more usage than the request can have caused, which was not believed. */
  readonly isSuspect?: boolean;
  /** Whether it was reserved with quotas. Default false. */
  readonly hasQuotas?: boolean;
}
