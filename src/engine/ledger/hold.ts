import type { Uuid } from '../../kernel/ids.ts';

/** What a hold can stop: everything, a stage, a "provider/model", a provider, or work of an origin. */
export const holdScopes = [
  'all',
  'stage',
  'model',
  'provider',
  'team',
  'customer',
  'feature',
  'batch',
] as const;
export type HoldScope = (typeof holdScopes)[number];

/** An operator's order that something is not to go on. */
export interface Hold {
  readonly id: Uuid;
  readonly scope: HoldScope;
  /** Whose name; empty for the scope "all". */
  readonly value: string;
  /** Whether what is in the air is aborted too. */
  readonly aborts: boolean;
  /** Who placed it, or changed it last, and why. */
  readonly actor: string;
  readonly reason: string;
  readonly createdAt: Date;
}

/** What a message may be held by. */
export interface HeldWork {
  readonly stage: string;
  readonly origin: {
    readonly team: string;
    readonly customer: string;
    readonly feature: string;
    readonly batch?: string;
  };
}

/** What a request to a model may be held by, besides the message that it is made for. */
export interface HeldRequest {
  readonly provider: string;
  readonly model: string;
}

/** The name under which messages wait for the hold. */
export function parkedForHold(id: Uuid): string {
  return `hold:${id}`;
}

/** "stage summarise", "everything" */
export function describeHold({ scope, value }: Pick<Hold, 'scope' | 'value'>): string {
  return scope === 'all' ? 'everything' : `${scope} ${value}`;
}

/** Whether work of this kind waits while the hold stands. The same rule stands in SQL: see `holdsWork`. */
export function stopsWork(
  { scope, value }: Pick<Hold, 'scope' | 'value'>,
  { stage, origin }: HeldWork,
): boolean {
  switch (scope) {
    case 'all':
      return true;
    case 'stage':
      return value === stage;
    case 'team':
    case 'customer':
    case 'feature':
    case 'batch':
      return value === origin[scope];
    case 'model':
    case 'provider':
      return false;
  }
}

/** Whether requests to this model are stopped by a hold on the model or its provider. */
export function stopsRequest(
  { scope, value }: Pick<Hold, 'scope' | 'value'>,
  { provider, model }: HeldRequest,
): boolean {
  if (scope === 'provider') return value === provider;
  return scope === 'model' && value === `${provider}/${model}`;
}
