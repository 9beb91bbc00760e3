import type { CompletedRequest, MillraceRequest, UnsuccessfulRequest } from './request-document.ts';

/* What a stream tells of a request. docs/streams.md says what each means. */

interface OfMessage {
  /** The stage. */
  readonly stage: string;
  /** The message that the stage works on: text of several messages may come mixed. */
  readonly message: string;
}

interface OfRun extends OfMessage {
  /** Which run of the message; a later one makes void what an earlier one said. */
  readonly run: number;
}

interface Delta extends OfRun {
  readonly step: string;
  /** Which published answer of the run, from 1. */
  readonly answer: number;
  /** Where the text begins within the answer, in UTF-16 code units. */
  readonly offset: number;
  readonly text: string;
}

/** What happened, by its `kind`. */
export type RequestEventBody<Result = unknown> =
  | { readonly kind: 'accepted'; readonly request: MillraceRequest<Result> }
  | (OfRun & { readonly kind: 'stage-started'; readonly attempt: number })
  /** The message's text begins anew: what was told of it before is void. */
  | (OfRun & { readonly kind: 'attempt-restarted'; readonly attempt: number })
  | (OfRun & { readonly kind: 'progress'; readonly share: number })
  | (Delta & { readonly kind: 'text-delta' })
  | (Delta & { readonly kind: 'reasoning-delta' })
  | (OfRun & {
      readonly kind: 'stage-ended';
      readonly outcome: 'completed' | 'cancelled' | 'dead_lettered' | 'retried' | 'waits' | 'released';
      readonly code?: string | undefined;
    })
  /**
   * A call was settled. `soFarUsd` is the sum of the calls since the log of events began, as an exact decimal string: after a
   * restart of an embedded host it may fall. What the request cost is `cost.usd` of the request.
   */
  | (OfMessage & {
      readonly kind: 'usage';
      readonly step: string;
      readonly model: string;
      readonly tokens: number;
      readonly usd?: string | undefined;
      readonly soFarUsd: string;
    })
  /** Events before this one are lost; the end of the request is not. */
  | { readonly kind: 'events-lost' }
  | { readonly kind: 'completed'; readonly request: CompletedRequest<Result> }
  | { readonly kind: 'failed' | 'cancelled'; readonly request: UnsuccessfulRequest };

/** An event with its id: whole numbers that only rise, the same for every listener. */
export type RequestEvent<Result = unknown> = RequestEventBody<Result> & { readonly id: number };

/** The kinds that this client knows; those of newer servers are passed over. */
export const eventKinds: ReadonlySet<string> = new Set<RequestEventBody['kind']>([
  'accepted',
  'stage-started',
  'attempt-restarted',
  'progress',
  'text-delta',
  'reasoning-delta',
  'stage-ended',
  'usage',
  'events-lost',
  'completed',
  'failed',
  'cancelled',
]);
