import type { Uuid } from '../../kernel/ids.ts';
import type { Usd } from '../../kernel/money.ts';
import type { Origin } from '../../messages/origin.ts';

/** Who looks at requests: with a team, a customer or a feature, nothing of others is seen. */
export interface RequestViewer {
  readonly team?: string | undefined;
  readonly customer?: string | undefined;
  readonly feature?: string | undefined;
}

/** Who cancels one, with the name for the audit. */
export interface RequestOperator extends RequestViewer {
  readonly actor: string;
}

/** How far a request is. The last three are ends; one is left by nothing. */
export const requestStates = ['queued', 'running', 'completed', 'failed', 'cancelled'] as const;
export type RequestState = (typeof requestStates)[number];

/** How a request ends. */
export const requestEnds = ['completed', 'failed', 'cancelled'] as const satisfies readonly RequestState[];
export type RequestEnd = (typeof requestEnds)[number];

/** What is done when nobody listens to a request any more. */
export const disconnectRules = ['continue', 'cancel'] as const;
export type DisconnectRule = (typeof disconnectRules)[number];

/** What a client may say about how its request is treated. */
export interface RequestOptions {
  readonly onDisconnect: DisconnectRule;
  /** For how long after the last listener has left another one may come. */
  readonly disconnectGraceMs: number;
  /** Whom to tell of its end. */
  readonly webhook: string | undefined;
}

/** A request as it was accepted. */
export interface AcceptedRequest {
  /** Of its root message too. */
  readonly id: Uuid;
  readonly origin: Origin;
  readonly pipeline: string;
  readonly type: string;
  readonly version: number;
  readonly actor: string;
  readonly options: RequestOptions;
  readonly createdAt: Date;
}

/** Why a request did not succeed. */
export interface RequestError {
  readonly code: string;
  readonly message: string;
  readonly stage: string | undefined;
}

/** What the calls of a request cost. */
export interface RequestCost {
  readonly calls: number;
  /** Of those that are settled and have a price. */
  readonly costUsd: Usd;
  readonly unpriced: number;
  /** Under way, or of unknown outcome. */
  readonly unsettled: number;
  /** What these can have cost at most. */
  readonly unsettledUsd: Usd;
}

/** A request whose end is recorded. */
export interface EndedRequest {
  readonly id: Uuid;
  readonly team: string;
  readonly state: RequestEnd;
  readonly error: RequestError | undefined;
  readonly cost: RequestCost;
  readonly endedAt: Date;
}
