import { hostname } from 'node:os';

/** Unique among all processes that share a ledger, and readable in its rows. */
export function workerName(): string {
  return `${hostname()}-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
}
