import type { AnswerObserver } from './call-observer.ts';
import type { Uuid } from '../../kernel/ids.ts';
import type { ReuseRule } from './call-journal.ts';
import type { CallMaker } from './call-maker.ts';
import type { MeteredCall } from './metered-call.ts';
import type { CascadeVerdict } from '../ledger/settlement.ts';
import type { CascadePlace } from '../ledger/stored-call.ts';
import type { ModelTarget } from '../providers/provider-registry.ts';
import type { RequestShare } from './shared-request.ts';
import type { RenderedRequest } from '../providers/provider-exchange.ts';
import type { RequestBounds } from '../providers/request-bounds.ts';

/** What a request is to one model. */
export interface AskedModel {
  readonly target: ModelTarget<unknown>;
  readonly bounds: () => RequestBounds;
  readonly tier: string;
  /** Whether a seed is to be derived for it. */
  readonly derivesSeed: boolean;
}

/** Another model for a question, asked while the circuit of the one that was meant is not closed, or when a quota has no room for it. */
export interface FallbackModel extends AskedModel {
  /** As users write it: "provider/model". */
  readonly reference: string;
  /** The model that was meant, as the user wrote it: "provider/model". */
  readonly insteadOf: string;
}

/** A call that is about to be opened: whether others can share its request. */
export interface Joining {
  readonly owner: CallMaker['owner'];
  /** From 1. */
  readonly attempt: number;
  /** Aborts when the call is not wanted any more. */
  readonly signal: AbortSignal;
}

/** A request that a model is about to be asked. */
export interface CallQuestion extends AskedModel {
  readonly fallback: FallbackModel | undefined;
  /** Another model for the same question, by its reference; undefined where that one cannot stand in. Absent: none can. */
  readonly switchedTo?: (reference: string) => FallbackModel | undefined;
  readonly operation: 'chat' | 'embeddings';
  readonly step: string;
  /** Its part in a cascade: its place, and whether another model can be asked after it. */
  readonly cascade?: { readonly place: CascadePlace; readonly hasNext: boolean };
  readonly reuse: ReuseRule;
  readonly digest: string;
  /** The digest of everything that is sent, headers included. Absent where the request depends on its message: no other's answer fits. */
  readonly fingerprint?: () => string;
  /** What the answer can depend on besides the prompt, as JSON, with the seed that was derived for it. */
  readonly parameters: (seed: number | undefined) => string;
  readonly maxOutputTokens: number | undefined;
  /** Everything in the request that becomes tokens, as one text. */
  readonly inputText: () => string;
  readonly userSignal: AbortSignal | undefined;
  /** The request as it would be sent, with the seed that was derived for it. Absent, or answering undefined: it is never put off. */
  readonly render?: (seed: number | undefined) => Promise<RenderedRequest | undefined>;
  /** The same question in another service tier; undefined where the provider has none of that name. */
  readonly inTier?: (tier: string) => CallQuestion | undefined;
  /** Waits for others to share a request with. Absent, or answering undefined: it is sent alone. */
  readonly join?: (joining: Joining) => Promise<RequestShare | undefined>;
}

/** A call to make, reserved in the ledger; or the answer that was recorded for the same question. */
export type OpenedCall =
  | {
      readonly kind: 'call';
      readonly call: MeteredCall;
      /** The model that is to be asked instead, "provider/model"; undefined for the one that was meant. */
      readonly askedInstead: string | undefined;
      readonly headers: Readonly<Record<string, string>> | undefined;
      /** The seed that was derived for it. */
      readonly seed: number | undefined;
      /** The service tier that it is to be asked in, whatever the request says; undefined: as it says. */
      readonly tier: string | undefined;
      /** Its place among the requests of its step in this run, from 1. */
      readonly ordinal: number;
    }
  | {
      readonly kind: 'recorded';
      /** Of the call that brought it. */
      readonly id: Uuid;
      readonly answer: string;
      /** Of an answer that another message's call brought: how this message rejects it. */
      readonly reject?: () => Promise<void>;
      /** What became of it in its cascade, in an earlier run. */
      readonly verdict?: CascadeVerdict | undefined;
    }
  /** The next model of the cascade is to be asked: the handler rejected what this one had answered in an earlier run. */
  | { readonly kind: 'escalated' };

/** What metered models ask before every request. */
export interface CallOpener {
  /**
   * Looks for a recorded answer, else reserves a call. Throws MILLRACE_LEASE_EXPIRED when the lease has passed on; then
   * nothing must be sent.
   */
  open(question: CallQuestion): Promise<OpenedCall>;

  /** The same, at a place that was taken before: for a question whose shared request was refused, maybe for another's sake. */
  openAlone(question: CallQuestion, ordinal: number): Promise<OpenedCall>;

  /** Where the text of an answer that begins goes as well; nowhere where nobody follows. */
  beginAnswer(step: string): AnswerObserver | undefined;
}
