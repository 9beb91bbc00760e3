import type { Uuid } from '../../kernel/ids.ts';
import type { Origin } from '../../messages/origin.ts';
import { batchSources } from '../../messages/reserved-source.ts';
import type { BatchSettings } from './batch-settings.ts';
import type { AppliedCaps } from './caps/cap-settings.ts';

/*
 * A batch: many items through one pipeline, with one end.
 *
 *   receiving ─► running ◄─► paused
 *                 │  ▲
 *                 │  └────── halted       something is wrong that more items would not make right; resumed by an operator
 *                 ├────────► cancelling ─► cancelled          by an operator, from paused and halted too
 *                 │               ├──────► expired, succeeded   because the deadline is over
 *                 │               └──────► succeeded, failed    when everything had ended before
 *                 └────────► succeeded, failed             when all items have ended, paused or halted as well
 *
 * Every item ends in exactly one of succeeded, failed, expired, cancelled and skipped; together they are the input's.
 */

export const batchStates = [
  'receiving',
  'running',
  'paused',
  'halted',
  'cancelling',
  'succeeded',
  'failed',
  'cancelled',
  'expired',
] as const;
export type BatchState = (typeof batchStates)[number];

/** How an item can end. */
export const itemEnds = ['succeeded', 'failed', 'expired', 'cancelled', 'skipped'] as const;
export type ItemEnd = (typeof itemEnds)[number];

export const itemStates = ['waiting', 'running', ...itemEnds] as const;
export type ItemState = (typeof itemStates)[number];

export const chunkStates = ['waiting', 'running', 'done', 'failed'] as const;
export type ChunkState = (typeof chunkStates)[number];

/** How an item stands that was drawn to be checked. */
export const checkStates = ['open', 'passed', 'failed'] as const;
export type CheckState = (typeof checkStates)[number];

/** Why a batch is halted, or ended as it did; why a chunk waits. */
export interface Cause {
  readonly code: string;
  readonly detail: string;
}

/** A batch as the ledger has it. */
export interface Batch {
  readonly id: Uuid;
  /** Whose it is, and the origin of items that name no other; `origin.batch` is its name. */
  readonly origin: Origin & { readonly batch: string };
  readonly pipeline: string;
  /** Of its items' messages. */
  readonly type: string;
  readonly version: number;
  readonly settings: BatchSettings;
  readonly state: BatchState;
  readonly cause: Cause | undefined;
  readonly priority: number;
  readonly deadline: Date | undefined;
  readonly upload: Uuid | undefined;
  readonly uploadState: 'none' | 'receiving' | 'complete' | 'faulty';
  readonly items: number;
  readonly chunks: number;
  /** What its rule for large items came to; undefined without one, or before its items are complete. */
  readonly caps?: AppliedCaps | undefined;
  /** Of the items that have ended. */
  readonly ended: Readonly<Record<ItemEnd, number>>;
  /** Of the answers that its ended items used; decimal text. */
  readonly costUsd: string;
  /** Answers of these that have no price. */
  readonly unpriced: number;
  /** Of the items that were drawn to be checked; undefined while none were. */
  readonly checks: { readonly drawn: number; readonly passed: number; readonly failed: number } | undefined;
  readonly actor: string;
  readonly createdAt: Date;
  readonly startedAt: Date | undefined;
  readonly endedAt: Date | undefined;
}

/**
 * Who sends the messages of a batch: with the item's id, the message's identity. No later batch of the same name has the id, and nothing from outside
 * is admitted with such a source.
 */
export function sourceOf(id: Uuid): string {
  return `${batchSources}${id}`;
}

/** Whether nothing happens to the batch any more by itself. */
export function isOver(state: BatchState): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'cancelled' || state === 'expired';
}
