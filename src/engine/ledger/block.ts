import type { Uuid } from '../../kernel/ids.ts';

/** What a block can stop: everything, a stage, a "provider/model", a provider, or work of an origin. */
export const blockScopes = [
  'all',
  'stage',
  'model',
  'provider',
  'team',
  'customer',
  'feature',
  'batch',
] as const;
export type BlockScope = (typeof blockScopes)[number];

/** What stops claims and reservations in a scope. A pause is a block by an operator. */
export interface Block {
  readonly id: Uuid;
  readonly scope: BlockScope;
  /** Whose name; empty for the scope "all". */
  readonly value: string;
  /** Whether what is running is aborted too. */
  readonly aborts: boolean;
  /** Who placed it, or changed it last, and why. */
  readonly actor: string;
  readonly reason: string;
  readonly createdAt: Date;
}

/** What a message may be blocked by. */
export interface BlockableWork {
  readonly stage: string;
  readonly origin: {
    readonly team: string;
    readonly customer: string;
    readonly feature: string;
    readonly batch?: string;
  };
}

/** What a request to a model may be blocked by, besides the message that it is made for. */
export interface BlockableRequest {
  readonly provider: string;
  readonly model: string;
}

/** The name under which messages wait for the block. */
export function parkedForPause(id: Uuid): string {
  return `pause:${id}`;
}

/** "stage summarise", "everything" */
export function describeBlock({ scope, value }: Pick<Block, 'scope' | 'value'>): string {
  return scope === 'all' ? 'everything' : `${scope} ${value}`;
}

/** Whether work of this kind waits while the block stands. The same rule stands in SQL: see `blocksWork`. */
export function stopsWork(
  { scope, value }: Pick<Block, 'scope' | 'value'>,
  { stage, origin }: BlockableWork,
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

/** Whether requests to this model are stopped by a block on the model or its provider. */
export function stopsRequest(
  { scope, value }: Pick<Block, 'scope' | 'value'>,
  { provider, model }: BlockableRequest,
): boolean {
  if (scope === 'provider') return value === provider;
  return scope === 'model' && value === `${provider}/${model}`;
}
