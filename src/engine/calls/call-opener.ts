import type { Uuid } from '../../kernel/ids.ts';
import type { ReuseRule } from './call-journal.ts';
import type { MeteredCall } from './metered-call.ts';
import type { ModelTarget } from '../providers/provider-registry.ts';
import type { RequestBounds } from '../providers/request-bounds.ts';

/** What a request is to one model. */
export interface AskedModel {
  readonly target: ModelTarget<unknown>;
  readonly bounds: () => RequestBounds;
  readonly tier: string;
  /** Whether a seed is to be derived for it. */
  readonly derivesSeed: boolean;
}

/** Another model for a question, asked while the circuit of the one that was meant is not closed. */
export interface FallbackModel extends AskedModel {
  /** The model that was meant, as the user wrote it: "provider/model". */
  readonly insteadOf: string;
}

/** A request that a model is about to be asked. */
export interface CallQuestion extends AskedModel {
  readonly fallback: FallbackModel | undefined;
  readonly operation: 'chat' | 'embeddings';
  readonly step: string;
  readonly reuse: ReuseRule;
  readonly digest: string;
  /** What the answer can depend on besides the prompt, as JSON, with the seed that was derived for it. */
  readonly parameters: (seed: number | undefined) => string;
  readonly maxOutputTokens: number | undefined;
  /** Everything in the request that becomes tokens, as one text. */
  readonly inputText: () => string;
  readonly userSignal: AbortSignal | undefined;
}

/** A call to make, reserved in the ledger; or the answer that was recorded for the same question. */
export type OpenedCall =
  | {
      readonly kind: 'call';
      readonly call: MeteredCall;
      /** Whether the fallback is to be asked. */
      readonly isFallback: boolean;
      readonly headers: Readonly<Record<string, string>> | undefined;
      /** The seed that was derived for it. */
      readonly seed: number | undefined;
    }
  | { readonly kind: 'recorded'; readonly id: Uuid; readonly answer: string };

/** What metered models ask before every request. */
export interface CallOpener {
  /**
   * Looks for a recorded answer, else reserves a call. Throws MILLRACE_LEASE_EXPIRED when the lease has passed on; then
   * nothing must be sent.
   */
  open(question: CallQuestion): Promise<OpenedCall>;
}
