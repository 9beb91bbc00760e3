/*
 * The states of a provider batch and what is done in each.
 *
 *   planned ─► uploading ─► uploaded ─► creating ─► running ─► ended ─► collected ─► settled ─► closed
 *      ▲           │           ▲            │ ▲        │                   ▲
 *      └───────────┴ not there ┴────────────┘ └─► unresolved ──────────────┘ an operator gives it up
 *
 * A step that changes something at the provider is written down (uploading, creating) before it is taken. Whoever finds a batch in
 * such a state does not know whether the step happened: it looks, and never sends again before the provider's own list says
 * that nothing came. What looking cannot tell is unresolved, until an operator decides. A provider without files (Anthropic)
 * goes from planned to creating.
 */

/** States of a provider batch that is not closed. */
export const openProviderBatchStates = [
  'planned',
  'uploading',
  'uploaded',
  'creating',
  'running',
  'ended',
  'collected',
  'settled',
  'unresolved',
] as const;

/** Every state of a provider batch. */
export const providerBatchStates = [...openProviderBatchStates, 'closed'] as const;

export type ProviderBatchState = (typeof providerBatchStates)[number];

/** Why a batch cannot go on by itself. */
export type UnresolvedReason =
  /** The provider does not know the batch any more. */
  | 'gone'
  /** More than one batch carries the marker. */
  | 'several_found'
  /** A batch that may be this one cannot be read. */
  | 'unreadable';

const transitions: Readonly<Record<ProviderBatchState, readonly ProviderBatchState[]>> = {
  planned: ['uploading', 'creating', 'ended'],
  uploading: ['uploaded', 'planned', 'ended'],
  uploaded: ['creating', 'ended'],
  creating: ['running', 'planned', 'uploaded', 'ended', 'unresolved'],
  running: ['ended', 'unresolved'],
  ended: ['collected'],
  collected: ['settled'],
  settled: ['closed'],
  closed: [],
  unresolved: ['running', 'planned', 'uploaded', 'ended'],
};

/** Whether a batch may go from one state to the other; staying is no transition and always allowed. */
export function mayMove(from: ProviderBatchState, to: ProviderBatchState): boolean {
  return from === to || transitions[from].includes(to);
}

/** What is done next with a batch. */
export type ProviderBatchStep =
  | 'upload'
  | 'look-for-upload'
  | 'create'
  | 'look-for-batch'
  | 'end-unsent'
  | 'cancel'
  | 'poll'
  | 'collect'
  | 'settle'
  | 'remove-files'
  | 'none';

/** What the next step depends on. */
export interface StepFacts {
  readonly state: ProviderBatchState;
  /** Whether the provider takes the requests as a file that is uploaded before. */
  readonly hasFiles: boolean;
  readonly isCancelRequested: boolean;
  readonly isCancelSent: boolean;
}

/** The next step. */
export function nextStep({ state, hasFiles, isCancelRequested, isCancelSent }: StepFacts): ProviderBatchStep {
  switch (state) {
    case 'planned':
      if (isCancelRequested) return 'end-unsent';
      return hasFiles ? 'upload' : 'create';
    case 'uploading':
      return 'look-for-upload';
    case 'uploaded':
      return isCancelRequested ? 'end-unsent' : 'create';
    case 'creating':
      return 'look-for-batch';
    case 'running':
      return isCancelRequested && !isCancelSent ? 'cancel' : 'poll';
    case 'ended':
      return 'collect';
    case 'collected':
      return 'settle';
    case 'settled':
      return 'remove-files';
    case 'closed':
    case 'unresolved':
      return 'none';
  }
}

/** What looking for a batch found at the provider. */
export type FoundBatch =
  | { readonly kind: 'found'; readonly providerId: string }
  | { readonly kind: 'several'; readonly providerIds: readonly string[] }
  /** A batch may be this one, which cannot be told before it has ended. */
  | { readonly kind: 'undecided' }
  /** A batch may be this one, and its results cannot be read. */
  | { readonly kind: 'unreadable' }
  | { readonly kind: 'none' };

/** What follows from a look. */
export type LookDecision =
  | { readonly kind: 'take-over'; readonly providerId: string }
  /** The step did not happen: it is taken again. */
  | { readonly kind: 'send' }
  | { readonly kind: 'look-again'; readonly at: Date }
  | { readonly kind: 'unresolved'; readonly reason: UnresolvedReason };

/** When what is looked for was sent, and how long it may take until it is listed. */
export interface LookTimes {
  readonly beganAt: Date;
  readonly now: Date;
  /** From the beginning of a step until its request is over for certain and what came of it is listed. */
  readonly quietMs: number;
  /** Between two looks. */
  readonly pollMs: number;
}

/**
 * What follows from a look for a batch. That nothing is listed says that nothing was created only when the time is over in
 * which a request can still be under way.
 */
export function afterLook(found: FoundBatch, { beganAt, now, quietMs, pollMs }: LookTimes): LookDecision {
  switch (found.kind) {
    case 'found':
      return { kind: 'take-over', providerId: found.providerId };
    case 'several':
      return { kind: 'unresolved', reason: 'several_found' };
    case 'unreadable':
      return { kind: 'unresolved', reason: 'unreadable' };
    case 'undecided':
      return { kind: 'look-again', at: new Date(now.getTime() + pollMs) };
    case 'none': {
      const quietAt = new Date(beganAt.getTime() + quietMs);
      return now < quietAt ? { kind: 'look-again', at: quietAt } : { kind: 'send' };
    }
  }
}

/** How long until a batch that runs is looked at again: a tenth of how long it has run, within bounds. */
export function pollAfterMs(runsMs: number, pollMs: number): number {
  return Math.min(10 * pollMs, Math.max(pollMs, runsMs / 10));
}

/** How long to wait after so many attempts in a row that failed: doubled each time, an hour at most. */
export function backoffMs(attempts: number, pollMs: number): number {
  return Math.min(60 * 60 * 1000, pollMs * 2 ** Math.min(attempts - 1, 20));
}
